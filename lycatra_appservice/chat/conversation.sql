-- name: load
SELECT trigger_id, message, rests_on, only_for FROM (
  SELECT id, trigger_id, message, rests_on, only_for FROM history WHERE conversation = :conversation AND id > coalesce(
      (SELECT max(id) FROM history WHERE conversation = :conversation AND message = :reset), 0)
  ORDER BY id DESC LIMIT :messages
) AS latest ORDER BY id

-- name: remembers
SELECT 1 AS yes FROM history WHERE trigger_id = :trigger_id LIMIT 1

-- name: forget_turn
DELETE FROM history WHERE trigger_id = :trigger_id

-- name: forget_old
DELETE FROM history WHERE at < lycatra_now() - :keep_ms

-- name: last_turn
SELECT trigger_id FROM history
WHERE message <> :reset AND (conversation = :conversation
  OR (CAST(:with_threads AS integer) = 1
    AND substr(conversation, 1, length(CAST(:threads AS text))) = :threads))
ORDER BY id DESC LIMIT 1
