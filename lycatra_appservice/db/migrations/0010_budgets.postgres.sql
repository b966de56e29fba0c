-- compat: 1
-- Turns a minute, of a person or of a room: when the whole of it will be there again.
CREATE TABLE pace (
  key text PRIMARY KEY,
  full_at bigint NOT NULL
) WITH (fillfactor = 70);

-- How many questions of somebody in a room came as quickly after our answers as a bot's, and when
-- we last said something.
CREATE TABLE exchange (
  room text NOT NULL,
  person text NOT NULL,
  answers integer NOT NULL,
  at bigint NOT NULL,
  PRIMARY KEY (room, person)
) WITH (fillfactor = 70);

-- What one request to a model has cost whom: `step` of run `run` of the turn of a trigger. `day` is
-- one of the configured time zone, as in 2026-03-29. `estimated`: the server did not count.
CREATE TABLE model_usage (
  trigger_id text NOT NULL,
  run integer NOT NULL,
  step text NOT NULL,
  at bigint NOT NULL,
  day text NOT NULL,
  person text NOT NULL,
  room text,
  level text NOT NULL,
  model text NOT NULL,
  prompt_tokens bigint NOT NULL,
  completion_tokens bigint NOT NULL,
  estimated integer NOT NULL,
  PRIMARY KEY (trigger_id, run, step)
);
CREATE INDEX model_usage_person ON model_usage (day, person);
CREATE INDEX model_usage_room ON model_usage (day, room);
