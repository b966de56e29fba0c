-- name: open_room
-- Not known yet, but what changes while it is read is kept.
INSERT INTO room (id, membership, state_at) VALUES (:room, 'reading', lycatra_now())
ON CONFLICT (id) DO NOTHING

-- name: close_room
DELETE FROM room WHERE id = :room AND membership = 'reading'

-- name: put_room
-- Encryption is never turned off; another name stands only after the next reading.
INSERT INTO room (id, membership, name, encrypted, state_at)
VALUES (:room, 'join', :name, :encrypted, lycatra_now())
ON CONFLICT (id) DO UPDATE SET membership = 'join', name = coalesce(room.name, excluded.name),
  encrypted = CASE WHEN room.encrypted = 1 THEN 1 ELSE excluded.encrypted END,
  state_at = excluded.state_at

-- name: get_room
SELECT * FROM room WHERE id = :room AND membership = 'join'

-- name: drop_room
DELETE FROM room WHERE id = :room

-- name: set_name
UPDATE room SET name = :name WHERE id = :room

-- name: set_encrypted
UPDATE room SET encrypted = 1 WHERE id = :room

-- name: put_read_member
-- Who is there already came or went while the room was read.
INSERT INTO member (room, user_id, membership, display_name)
VALUES (:room, :user_id, :membership, :display_name)
ON CONFLICT (room, user_id) DO NOTHING

-- name: put_member
INSERT INTO member (room, user_id, membership, display_name)
SELECT r.id, CAST(:user_id AS text), CAST(:membership AS text), CAST(:display_name AS text)
FROM room r WHERE r.id = :room
ON CONFLICT (room, user_id) DO UPDATE SET membership = excluded.membership,
  display_name = excluded.display_name

-- name: get_members
SELECT user_id, membership, display_name FROM member WHERE room = :room

-- name: speaker_of
SELECT sender FROM send WHERE event_id = :event_id LIMIT 1

-- name: spoke_or_answered
SELECT 1 AS yes FROM send WHERE event_id = :event_id OR trigger_id = :event_id LIMIT 1

-- name: say_once
-- Returns who holds it, so that the first one hears yes again after a crash.
INSERT INTO notice (key, holder, at) VALUES (:key, :holder, lycatra_now())
ON CONFLICT (key) DO UPDATE SET holder = notice.holder RETURNING holder
