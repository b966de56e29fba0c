-- name: note
INSERT INTO thread_voice (thread, user_id, at) VALUES (:thread, :user_id, :at)
ON CONFLICT (thread, user_id) DO UPDATE
SET at = CASE WHEN excluded.at < thread_voice.at THEN excluded.at ELSE thread_voice.at END

-- name: other
SELECT 1 AS yes FROM thread_voice
WHERE thread = :thread AND user_id <> :user_id AND at <= :at LIMIT 1

-- name: answer
SELECT content FROM send WHERE event_id = :event_id LIMIT 1

-- name: forget_old
DELETE FROM thread_voice WHERE at < lycatra_now() - :keep_ms
