-- name: lock
-- Two grants at once would let in one too many. Not waited for is the disk: after a crash of the
-- server every request gets in line anew, and nothing else is done in these transactions.
SELECT pg_advisory_xact_lock(hashtextextended('model_wait ' || CAST(:backend AS text), 0)),
  set_config('synchronous_commit', 'off', true)

-- name: grant
-- Rows are locked in the order of their ids, as `renew` locks them. A replica that has not renewed
-- its leases for a while may be frozen: it is passed over until it does. The lease is left as it
-- is, for its owner to renew.
WITH next AS (
  SELECT id FROM model_wait
  WHERE backend = :backend AND state = 'waiting' AND lease_until > lycatra_now() + :fresh_ms
  ORDER BY nth, id
  LIMIT greatest(0, CAST(:at_once AS bigint) - (
    SELECT count(*) FROM model_wait
    WHERE backend = :backend AND state = 'running' AND lease_until > lycatra_now()))
), held AS MATERIALIZED (
  SELECT m.id FROM model_wait m JOIN next ON next.id = m.id ORDER BY m.id FOR UPDATE OF m
)
UPDATE model_wait SET state = 'running' FROM held WHERE model_wait.id = held.id
RETURNING model_wait.id, model_wait.owner

-- name: renew
WITH held AS MATERIALIZED (
  SELECT id FROM model_wait WHERE owner = :owner AND id = ANY(CAST(:ids AS text[])::bigint[])
  ORDER BY id FOR UPDATE)
UPDATE model_wait SET lease_until = lycatra_now() + :lease_ms FROM held
WHERE model_wait.id = held.id
RETURNING model_wait.id

-- name: drop_ended
DELETE FROM model_wait WHERE id IN (
  SELECT id FROM model_wait WHERE backend = :backend AND lease_until <= lycatra_now()
  ORDER BY id FOR UPDATE SKIP LOCKED)
RETURNING id, state

-- name: drop_dead
-- Dead, as for lanes: the lease has ended; or it was not renewed for two seconds, and the listening
-- connection of its owner is gone, unless the server itself has only just started.
DELETE FROM model_wait WHERE id IN (
  SELECT id FROM model_wait WHERE backend = :backend AND (
    lease_until <= lycatra_now()
    OR (state <> 'done' AND lease_until < lycatra_now() + :lease_ms - 2000
        AND pg_postmaster_start_time() < statement_timestamp() - make_interval(secs => :lease_ms / 1000.0)
        AND NOT EXISTS (
          SELECT 1 FROM pg_stat_activity a WHERE a.application_name = model_wait.owner)))
  ORDER BY id FOR UPDATE SKIP LOCKED)
RETURNING id, state
