-- name: get_value
SELECT value FROM tool_state WHERE namespace = :namespace AND place = :place AND key = :key

-- name: keys
SELECT key FROM tool_state WHERE namespace = :namespace AND place = :place ORDER BY key

-- name: hold
-- The update changes nothing, but holds the row until the end of the transaction.
INSERT INTO tool_state (namespace, place, key, value, at)
VALUES (:namespace, :place, :key, 'null', lycatra_now())
ON CONFLICT (namespace, place, key) DO UPDATE SET namespace = excluded.namespace
RETURNING value

-- name: count_keys
SELECT count(*) AS keys FROM tool_state WHERE namespace = :namespace AND place = :place

-- name: put_value
UPDATE tool_state SET value = :value, at = lycatra_now()
WHERE namespace = :namespace AND place = :place AND key = :key

-- name: drop_value
DELETE FROM tool_state WHERE namespace = :namespace AND place = :place AND key = :key

-- name: forget_places
DELETE FROM tool_state WHERE place <> '' AND at < lycatra_now() - :keep_ms

-- name: forget_place
DELETE FROM tool_state WHERE place = :place

-- name: carry_over
-- A namespace that knows something there has its own numbers, and is left alone.
INSERT INTO tool_state (namespace, place, key, value, at)
SELECT namespace, :successor, key, value, at FROM tool_state old
WHERE old.place = :place AND NOT EXISTS (
  SELECT 1 FROM tool_state new WHERE new.place = :successor AND new.namespace = old.namespace)
ON CONFLICT (namespace, place, key) DO NOTHING

-- name: of_question
-- Looks at all keys, which are few and short; nobody deletes questions by the second.
SELECT 1 AS yes FROM tool_state WHERE key LIKE '%' || CAST(:mark AS text) LIMIT 1

-- name: forget_question
DELETE FROM tool_state WHERE key LIKE '%' || CAST(:mark AS text)
