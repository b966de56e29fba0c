-- name: subscribe
INSERT INTO subscription (room, namespace, about, by, at)
VALUES (:room, :namespace, :about, :by, lycatra_now())
ON CONFLICT (room, namespace, about) DO NOTHING
RETURNING room

-- name: unsubscribe
DELETE FROM subscription WHERE room = :room AND namespace = :namespace AND about = :about
RETURNING room

-- name: unsubscribe_all
DELETE FROM subscription WHERE room = :room AND namespace = :namespace
RETURNING about

-- name: of_room
SELECT namespace, about FROM subscription WHERE room = :room ORDER BY namespace, about

-- name: rooms
SELECT DISTINCT room FROM subscription
WHERE namespace = :namespace AND about IN ('', :about) ORDER BY room

-- name: leave_room
DELETE FROM subscription WHERE room = :room

-- name: follow_room
INSERT INTO subscription (room, namespace, about, by, at)
SELECT CAST(:successor AS text), namespace, about, by, at FROM subscription WHERE room = :room
ON CONFLICT (room, namespace, about) DO NOTHING

-- name: publish
INSERT INTO news (namespace, key, at) VALUES (:namespace, :key, lycatra_now())
ON CONFLICT (namespace, key) DO NOTHING
RETURNING key

-- name: waiting
SELECT id, lane FROM turn WHERE trigger_id = :trigger_id AND state = 'queued'

-- name: forget
DELETE FROM news WHERE at < lycatra_now() - :keep_ms
