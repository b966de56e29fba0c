-- name: load
SELECT message FROM (
  SELECT id, message FROM history WHERE conversation = :conversation AND id > coalesce(
      (SELECT max(id) FROM history WHERE conversation = :conversation AND message = :reset), 0)
  ORDER BY id DESC LIMIT :messages
) AS latest ORDER BY id

-- name: append
INSERT INTO history (conversation, trigger_id, position, message, at)
VALUES (:conversation, :trigger_id, :position, :message, lycatra_now())
ON CONFLICT (trigger_id, position) DO NOTHING

-- name: forget_old
DELETE FROM history WHERE at < lycatra_now() - :keep_ms
