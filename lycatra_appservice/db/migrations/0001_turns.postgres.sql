-- compat: 1
-- STABLE, so that an index on a time can be used; each statement of a transaction sees its own.
CREATE FUNCTION lycatra_now() RETURNS bigint LANGUAGE sql STABLE AS
  $$ SELECT CAST(extract(epoch FROM statement_timestamp()) * 1000 AS bigint) $$;

CREATE TABLE lane (
  key text PRIMARY KEY,
  kind text NOT NULL,
  ready_at bigint,
  owner text,
  lease_until bigint,
  fence bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 70);
CREATE INDEX lane_ready ON lane (kind, ready_at) WHERE owner IS NULL AND ready_at IS NOT NULL;
CREATE INDEX lane_owned ON lane (owner) WHERE owner IS NOT NULL;

CREATE TABLE turn (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  lane text NOT NULL,
  trigger_id text NOT NULL UNIQUE,
  state text NOT NULL DEFAULT 'queued',
  run_at bigint NOT NULL,
  starts integer NOT NULL DEFAULT 0,
  failures integer NOT NULL DEFAULT 0,
  cancel_requested integer NOT NULL DEFAULT 0,
  journal_ver integer,
  input text NOT NULL,
  error text,
  created_at bigint NOT NULL,
  finished_at bigint
);
CREATE INDEX turn_head ON turn (lane, id) WHERE state IN ('queued', 'running', 'sending');
CREATE INDEX turn_finished ON turn (finished_at) WHERE finished_at IS NOT NULL;

CREATE TABLE step (
  turn_id bigint NOT NULL REFERENCES turn ON DELETE CASCADE,
  name text NOT NULL,
  state text NOT NULL,
  args_hash text NOT NULL,
  output text,
  at bigint NOT NULL,
  PRIMARY KEY (turn_id, name)
);

CREATE TABLE send (
  turn_id bigint NOT NULL REFERENCES turn ON DELETE CASCADE,
  n integer NOT NULL,
  trigger_id text NOT NULL,
  kind text NOT NULL,
  room text NOT NULL,
  sender text NOT NULL,
  target_n integer,
  txn_id text NOT NULL UNIQUE,
  content text NOT NULL,
  mxc text,
  data bytea,
  attempt integer NOT NULL DEFAULT 0,
  amended integer NOT NULL DEFAULT 0,
  event_id text,
  sent_at bigint,
  dropped text,
  PRIMARY KEY (turn_id, n)
);
CREATE INDEX send_event ON send (event_id) WHERE event_id IS NOT NULL;
CREATE INDEX send_trigger ON send (trigger_id);
CREATE INDEX send_open ON send (turn_id) WHERE sent_at IS NULL AND dropped IS NULL;

CREATE TABLE schedule (
  name text PRIMARY KEY,
  every_ms bigint NOT NULL,
  next_at bigint NOT NULL
);

CREATE TABLE txn (
  id text PRIMARY KEY,
  at bigint NOT NULL
);

CREATE TABLE dead_letter (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  event_id text,
  reason text NOT NULL,
  raw bytea NOT NULL,
  at bigint NOT NULL
);

CREATE TABLE to_device (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  raw text NOT NULL,
  at bigint NOT NULL
);

CREATE TABLE replica (
  id text PRIMARY KEY,
  journal_min integer NOT NULL,
  journal_max integer NOT NULL,
  started_at bigint NOT NULL,
  seen_at bigint NOT NULL,
  ended_at bigint
);

CREATE TABLE room (
  id text PRIMARY KEY,
  membership text NOT NULL,
  name text,
  encrypted integer NOT NULL DEFAULT 0,
  state_at bigint NOT NULL
);

CREATE TABLE member (
  room text NOT NULL REFERENCES room ON DELETE CASCADE,
  user_id text NOT NULL,
  membership text NOT NULL,
  display_name text,
  PRIMARY KEY (room, user_id)
);

CREATE TABLE ghost (
  user_id text PRIMARY KEY,
  profile_hash text,
  next_batch text
);

CREATE TABLE notice (
  key text PRIMARY KEY,
  holder text NOT NULL,
  at bigint NOT NULL
);

CREATE TABLE history (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  conversation text NOT NULL,
  trigger_id text NOT NULL,
  position integer NOT NULL,
  message text NOT NULL,
  at bigint NOT NULL,
  UNIQUE (trigger_id, position)
);
CREATE INDEX history_conversation ON history (conversation, id);
