-- name: lock
-- Every transaction that writes is alone already.
SELECT 1 AS locked WHERE :backend IS NOT NULL

-- name: grant
UPDATE model_wait SET state = 'running' WHERE id IN (
  SELECT id FROM model_wait
  WHERE backend = :backend AND state = 'waiting' AND lease_until > lycatra_now() + :fresh_ms
  ORDER BY nth, id
  LIMIT max(0, :at_once - (
    SELECT count(*) FROM model_wait
    WHERE backend = :backend AND state = 'running' AND lease_until > lycatra_now())))
RETURNING id, owner

-- name: renew
UPDATE model_wait SET lease_until = lycatra_now() + :lease_ms
WHERE owner = :owner AND id IN (SELECT CAST(value AS integer) FROM json_each(:ids)) RETURNING id

-- name: drop_ended
-- One worker per file, so another owner is a process that has ended.
DELETE FROM model_wait
WHERE backend = :backend AND (lease_until <= lycatra_now() OR owner <> :owner) RETURNING id, state

-- name: drop_dead
DELETE FROM model_wait
WHERE backend = :backend AND (lease_until <= lycatra_now() OR owner <> :owner) RETURNING id, state
