-- name: key
SELECT key FROM audit_key

-- name: latest
-- What had started is not shown where its end is.
SELECT a.* FROM audit a
WHERE (CAST(:person AS text) IS NULL OR a.person = :person)
  AND (CAST(:beginning AS text) IS NULL
    OR substr(a.person, 1, length(CAST(:beginning AS text))) = :beginning)
  AND (CAST(:tool AS text) IS NULL OR a.tool = :tool)
  AND (CAST(:room AS text) IS NULL OR a.room = :room)
  AND (CAST(:since_ms AS bigint) IS NULL OR a.at >= :since_ms)
  AND (CAST(:whole AS integer) = 1 OR a.outcome <> 'started' OR NOT EXISTS (
    SELECT 1 FROM audit e WHERE e.call = a.call AND e.outcome NOT IN ('', 'started')))
ORDER BY a.id DESC LIMIT :entries

-- name: story
SELECT a.* FROM audit a
WHERE (a.trigger_id = :trigger_id OR a.call = :call)
  AND (CAST(:person AS text) IS NULL OR a.person = :person)
  AND (CAST(:room AS text) IS NULL OR a.room = :room)
ORDER BY a.id LIMIT :entries

-- name: of_turn
SELECT a.* FROM audit a WHERE a.trigger_id = :trigger_id ORDER BY a.id

-- name: page
SELECT a.* FROM audit a
WHERE (CAST(:person AS text) IS NULL OR a.person = :person)
  AND (CAST(:beginning AS text) IS NULL
    OR substr(a.person, 1, length(CAST(:beginning AS text))) = :beginning)
  AND (CAST(:tool AS text) IS NULL OR a.tool = :tool)
  AND (CAST(:room AS text) IS NULL OR a.room = :room)
  AND (CAST(:since_ms AS bigint) IS NULL OR a.at >= :since_ms)
  AND a.id > :after_id
ORDER BY a.id LIMIT :entries

-- name: blank
-- The only change there is: the tables' triggers refuse every other one.
UPDATE audit SET arguments = NULL, arguments_hash = NULL
WHERE trigger_id = :trigger_id AND (arguments IS NOT NULL OR arguments_hash IS NOT NULL)

-- name: forget_old
DELETE FROM audit WHERE id IN (
  SELECT id FROM audit WHERE at < lycatra_now() - :keep_ms LIMIT 1000)
RETURNING id
