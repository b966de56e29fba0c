-- name: enter
-- In the round after this person's last one, but in no earlier one than that which is served now.
INSERT INTO model_wait (backend, person, asked_at, nth, owner, lease_until, state)
SELECT CAST(:backend AS text), CAST(:person AS text), lycatra_now(), max(r.nth),
  CAST(:owner AS text), lycatra_now() + :lease_ms, 'waiting'
FROM (
  SELECT max(nth) + 1 AS nth FROM model_wait
  WHERE backend = :backend AND person = :person AND lease_until > lycatra_now()
  UNION ALL
  SELECT coalesce(
    (SELECT max(nth) FROM model_wait
     WHERE backend = :backend AND state IN ('running', 'done') AND lease_until > lycatra_now()),
    (SELECT min(nth) FROM model_wait
     WHERE backend = :backend AND state = 'waiting' AND lease_until > lycatra_now()),
    1)
) AS r
RETURNING id

-- name: ahead
-- Of one request: who waits before it, and how many are under way.
SELECT
  (SELECT count(*) FROM model_wait o
   WHERE o.backend = m.backend AND o.state = 'waiting' AND o.lease_until > lycatra_now()
     AND (o.nth < m.nth OR (o.nth = m.nth AND o.id < m.id))) AS waiting,
  (SELECT count(*) FROM model_wait o
   WHERE o.backend = m.backend AND o.state = 'running' AND o.lease_until > lycatra_now()) AS running
FROM model_wait m WHERE m.id = :id

-- name: places
-- The same of all requests of one replica.
SELECT m.id, m.state,
  (SELECT count(*) FROM model_wait o
   WHERE o.backend = m.backend AND o.lease_until > lycatra_now()
     AND (o.state = 'running' OR (o.state = 'waiting'
       AND (o.nth < m.nth OR (o.nth = m.nth AND o.id < m.id))))) AS ahead
FROM model_wait m WHERE m.owner = :owner AND m.backend = :backend AND m.state <> 'done'

-- name: remember
-- While others wait, whoever was served comes back in a later round.
UPDATE model_wait SET state = 'done', lease_until = lycatra_now() + :remember_ms
WHERE id = :id AND owner = :owner AND state = 'running' AND EXISTS (
  SELECT 1 FROM model_wait o WHERE o.backend = :backend AND o.state = 'waiting')

-- name: forget
-- What has ended, what a later one of the same person tells as well, and all when nobody waits.
DELETE FROM model_wait
WHERE (id = :id AND owner = :owner AND state <> 'done')
  OR (backend = :backend AND state = 'done' AND (
    NOT EXISTS (SELECT 1 FROM model_wait o WHERE o.backend = :backend AND o.state = 'waiting' AND o.id <> :id)
    OR EXISTS (SELECT 1 FROM model_wait o
      WHERE o.backend = :backend AND o.state = 'done' AND o.person = model_wait.person
        AND o.id > model_wait.id)))
