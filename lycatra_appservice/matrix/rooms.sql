-- name: forget_abandoned
-- Whoever read it has crashed: what was kept meanwhile may have gone on without us.
DELETE FROM room
WHERE id = :room AND membership = 'reading' AND state_at < lycatra_now() - 600000

-- name: open_room
-- Not known yet, but what changes while it is read is kept. Who reads at the same time shares the
-- mark; whoever drops the room makes all of them read again. No mark: it is known by now.
INSERT INTO room (id, membership, reading, state_at)
VALUES (:room, 'reading', :reading, lycatra_now())
ON CONFLICT (id) DO UPDATE SET reading =
  CASE WHEN room.membership = 'join' AND room.creators IS NOT NULL THEN NULL
  ELSE coalesce(room.reading, excluded.reading) END
RETURNING reading

-- name: close_room
DELETE FROM room WHERE id = :room AND membership = 'reading' AND reading = :reading

-- name: put_room
-- Encryption is never turned off, a successor never taken back; what was pushed while the room
-- was read is newer and stands.
UPDATE room SET membership = 'join', reading = NULL, state_at = lycatra_now(),
  name = coalesce(name, :name),
  encrypted = CASE WHEN encrypted = 1 THEN 1 ELSE :encrypted END,
  encryption = coalesce(encryption, :encryption),
  is_space = :is_space, creators = :creators,
  is_public = CASE WHEN is_public = 1 THEN 1 ELSE :is_public END,
  power = coalesce(power, :power),
  predecessor = :predecessor,
  successor = coalesce(successor, :successor)
WHERE id = :room AND reading = :reading
RETURNING id

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
UPDATE room SET encrypted = 1, encryption = :encryption WHERE id = :room

-- name: put_read_member
-- Who is there already came or went while the room was read.
INSERT INTO member (room, user_id, membership, display_name, sent_away)
VALUES (:room, :user_id, :membership, :display_name, :sent_away)
ON CONFLICT (room, user_id) DO NOTHING

-- name: put_member
-- Who was sent away stays so, whoever invites him, until he is let in.
INSERT INTO member (room, user_id, membership, display_name, sent_away)
SELECT r.id, CAST(:user_id AS text), CAST(:membership AS text), CAST(:display_name AS text),
  CAST(:sent_away AS integer)
FROM room r WHERE r.id = :room
ON CONFLICT (room, user_id) DO UPDATE SET membership = excluded.membership,
  display_name = excluded.display_name,
  sent_away = CASE WHEN excluded.membership = 'join' THEN 0
    WHEN excluded.sent_away = 1 THEN 1 ELSE member.sent_away END

-- name: get_members
SELECT user_id, membership, display_name, sent_away FROM member WHERE room = :room

-- name: get_footing
SELECT r.power, r.creators, lycatra_now() - r.state_at AS read_ago_ms, m.membership AS footing
FROM room r LEFT JOIN member m ON m.room = r.id AND m.user_id = :user_id
WHERE r.id = :room AND r.membership = 'join' AND r.creators IS NOT NULL

-- name: some_present
SELECT user_id FROM member WHERE room = :room AND membership IN ('join', 'invite')
LIMIT CAST(:at_most AS integer)

-- name: rooms_upgraded_to
SELECT id FROM room WHERE successor = :successor AND membership = 'join' ORDER BY id

-- name: carry_settings_over
-- What was chosen in the new room already stands.
INSERT INTO room_settings (room, chosen, set_by, at)
SELECT CAST(:successor AS text), chosen, set_by, at FROM room_settings WHERE room = :room
ON CONFLICT (room) DO NOTHING

-- name: was_let_in
SELECT 1 AS yes FROM send
WHERE trigger_id = :trigger_id AND kind = 'join' AND sender = :user_id AND room = :room
  AND sent_at IS NOT NULL LIMIT 1

-- name: speaker_of
SELECT sender FROM send WHERE event_id = :event_id LIMIT 1

-- name: spoke_or_answered
SELECT 1 AS yes FROM send WHERE event_id = :event_id OR trigger_id = :event_id LIMIT 1
