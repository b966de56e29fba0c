-- name: put_room
INSERT INTO room (id, membership, name, encrypted, state_at)
VALUES (:room, 'join', :name, :encrypted, lycatra_now())
ON CONFLICT (id) DO UPDATE SET membership = 'join', name = excluded.name,
  encrypted = excluded.encrypted, state_at = excluded.state_at

-- name: get_room
SELECT * FROM room WHERE id = :room

-- name: drop_room
DELETE FROM room WHERE id = :room

-- name: set_name
UPDATE room SET name = :name WHERE id = :room

-- name: set_encrypted
UPDATE room SET encrypted = 1 WHERE id = :room

-- name: drop_members
DELETE FROM member WHERE room = :room

-- name: put_member
INSERT INTO member (room, user_id, membership, display_name)
SELECT r.id, CAST(:user_id AS text), CAST(:membership AS text), CAST(:display_name AS text)
FROM room r WHERE r.id = :room
ON CONFLICT (room, user_id) DO UPDATE SET membership = excluded.membership,
  display_name = excluded.display_name

-- name: get_members
SELECT user_id, membership, display_name FROM member
WHERE room = :room AND membership IN ('join', 'invite')

-- name: is_encrypted
SELECT encrypted FROM room WHERE id = :room

-- name: spoke_or_answered
-- Whether an event is an answer of ours, or a message that we answered.
SELECT 1 AS yes FROM send WHERE event_id = :event_id OR trigger_id = :event_id LIMIT 1

-- name: say_once
INSERT INTO notice (key, at) VALUES (:key, lycatra_now()) ON CONFLICT DO NOTHING RETURNING key

-- name: joined_rooms
SELECT DISTINCT room FROM member WHERE user_id = :user_id AND membership = 'join'
