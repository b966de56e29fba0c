-- name: open_room
-- Not known yet, but what changes while it is read is kept.
INSERT INTO room (id, membership, state_at) VALUES (:room, 'reading', lycatra_now())
ON CONFLICT (id) DO NOTHING

-- name: close_room
DELETE FROM room WHERE id = :room AND membership = 'reading'

-- name: put_room
-- Encryption is never turned off, a successor never taken back; what was pushed while the room
-- was read is newer and stands.
INSERT INTO room (id, membership, name, encrypted, is_space, is_public, power, creators,
                  predecessor, successor, state_at)
VALUES (:room, 'join', :name, :encrypted, :is_space, :is_public, :power, :creators,
        :predecessor, :successor, lycatra_now())
ON CONFLICT (id) DO UPDATE SET membership = 'join', name = coalesce(room.name, excluded.name),
  encrypted = CASE WHEN room.encrypted = 1 THEN 1 ELSE excluded.encrypted END,
  is_space = excluded.is_space, creators = excluded.creators,
  is_public = CASE WHEN room.is_public = 1 THEN 1 ELSE excluded.is_public END,
  power = coalesce(room.power, excluded.power),
  predecessor = excluded.predecessor,
  successor = coalesce(room.successor, excluded.successor),
  state_at = excluded.state_at

-- name: get_room
-- Without creators it was stored by an older version, which read less.
SELECT r.*, s.chosen FROM room r LEFT JOIN room_settings s ON s.room = r.id
WHERE r.id = :room AND r.membership = 'join' AND r.creators IS NOT NULL

-- name: drop_room
DELETE FROM room WHERE id = :room

-- name: set_name
UPDATE room SET name = :name WHERE id = :room

-- name: set_power
UPDATE room SET power = :power WHERE id = :room

-- name: set_public
UPDATE room SET is_public = :is_public WHERE id = :room

-- name: set_successor
UPDATE room SET successor = :successor WHERE id = :room

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
