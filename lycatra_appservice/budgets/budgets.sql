-- name: take_pace
-- Each turn takes `each_ms` of a minute, which come back with time. No row: there is not so much
-- left. The row's lock makes of all who ask at once only so many hear yes.
INSERT INTO pace (key, full_at) VALUES (:key, lycatra_now() + :each_ms)
ON CONFLICT (key) DO UPDATE SET full_at = :each_ms +
  CASE WHEN pace.full_at > lycatra_now() THEN pace.full_at ELSE lycatra_now() END
WHERE pace.full_at + :each_ms <= lycatra_now() + :window_ms
RETURNING full_at

-- name: wait_for_pace
SELECT full_at + :each_ms - :window_ms - lycatra_now() AS wait_ms FROM pace WHERE key = :key

-- name: give_back_pace
UPDATE pace SET full_at = full_at - :each_ms WHERE key = :key

-- name: forget_pace
DELETE FROM pace WHERE full_at < lycatra_now()

-- name: follow_exchange
-- A question from before our last answer is no answer to it, and counts for nothing; nor does the
-- same one again, after a crash. After too many it takes a longer pause to begin anew.
INSERT INTO exchange (room, person, answers, at) VALUES (:room, :person, 1, lycatra_now())
ON CONFLICT (room, person) DO UPDATE SET at = lycatra_now(), answers = CASE
  WHEN :came_at < exchange.at THEN exchange.answers
  WHEN :came_at - exchange.at > CASE WHEN exchange.answers > :most
    THEN CAST(:rest_ms AS bigint) ELSE CAST(:haste_ms AS bigint) END THEN 1
  WHEN exchange.answers > :most THEN exchange.answers
  ELSE exchange.answers + 1 END
RETURNING answers

-- name: note_answer
UPDATE exchange SET at = lycatra_now() WHERE room = :room AND person = :person

-- name: forget_exchanges
DELETE FROM exchange WHERE at < lycatra_now() - :keep_ms

-- name: spent
SELECT
  CAST(coalesce(sum(CASE WHEN person = :person THEN prompt_tokens + completion_tokens END), 0)
    AS bigint) AS of_person,
  CAST(coalesce(sum(CASE WHEN room = :room THEN prompt_tokens + completion_tokens END), 0)
    AS bigint) AS of_room,
  coalesce(max(CASE WHEN person = :person THEN estimated END), 0) AS estimated
FROM model_usage WHERE day = :day AND (person = :person OR room = :room)

-- name: charge
INSERT INTO model_usage (trigger_id, run, step, at, day, person, room, level, model, prompt_tokens,
  completion_tokens, estimated)
VALUES (:trigger_id, :run, :step, lycatra_now(), :day, :person, :room, :level, :model, :prompt_tokens,
  :completion_tokens, :estimated)
ON CONFLICT (trigger_id, run, step) DO NOTHING

-- name: usage_since
SELECT day, person, room, level, model,
  CAST(sum(prompt_tokens + completion_tokens) AS bigint) AS tokens,
  count(DISTINCT trigger_id) AS questions, max(estimated) AS estimated
FROM model_usage WHERE day >= :day
GROUP BY day, person, room, level, model

-- name: forget_usage
DELETE FROM model_usage WHERE day < :day
