-- name: put
INSERT INTO crypto_inbox (kind, key, raw, room, state, at)
VALUES (:kind, :key, :raw, :room, 'new', lycatra_now())
ON CONFLICT (key) DO NOTHING
RETURNING id

-- name: next
SELECT id, kind, raw, lycatra_now() - at AS waited_ms FROM crypto_inbox
WHERE state = 'new' AND id > :after ORDER BY id LIMIT 50

-- name: done
UPDATE crypto_inbox SET state = 'done', raw = NULL WHERE id = :id

-- name: wait_for_key
UPDATE crypto_inbox SET state = 'waiting', session_id = :session_id
WHERE id = :id AND state = 'new'

-- name: key_came
UPDATE crypto_inbox SET state = 'new' WHERE session_id = :session_id AND state = 'waiting'

-- name: untold
-- What has waited for its key so long that somebody should be told, by what opens it.
SELECT DISTINCT room, session_id FROM crypto_inbox
WHERE state = 'waiting' AND told = 0 AND at < lycatra_now() - :patience_ms

-- name: told
UPDATE crypto_inbox SET told = 1 WHERE session_id = :session_id AND room = :room

-- name: first_waiting
SELECT raw FROM crypto_inbox WHERE session_id = :session_id AND room = :room AND state = 'waiting'
ORDER BY id LIMIT 1

-- name: is_waiting
SELECT id FROM crypto_inbox WHERE key = :key AND state <> 'done'

-- name: redact
-- What was taken back is never opened; its key stays, so that it is not stored again.
UPDATE crypto_inbox SET state = 'done', raw = NULL WHERE key = :key AND state <> 'done'

-- name: waiting_in
SELECT count(*) AS waiting FROM crypto_inbox WHERE state = 'waiting' AND room = :room

-- name: forget_done
-- Those that were read are known by their keys for as long as a homeserver may repeat them.
DELETE FROM crypto_inbox WHERE state = 'done' AND at < lycatra_now() - :keep_ms

-- name: forget_unread
DELETE FROM crypto_inbox WHERE at < lycatra_now() - :keep_ms
