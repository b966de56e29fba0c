-- name: load
SELECT trigger_id, message, rests_on, only_for FROM (
  SELECT id, trigger_id, message, rests_on, only_for FROM history WHERE conversation = :conversation AND id > coalesce(
      (SELECT max(id) FROM history WHERE conversation = :conversation AND message = :reset), 0)
  ORDER BY id DESC LIMIT :messages
) AS latest ORDER BY id

-- name: load_room
-- All conversations of a room together.
SELECT trigger_id, message, rests_on, only_for FROM (
  SELECT id, trigger_id, message, rests_on, only_for FROM history WHERE room = :room AND id > coalesce(
      (SELECT max(id) FROM history WHERE room = :room AND message = :reset), 0)
  ORDER BY id DESC LIMIT :messages
) AS latest ORDER BY id

-- name: chain
-- A turn and those that it went on from, oldest first; never of another room.
WITH RECURSIVE chain(trigger_id, back) AS (
  SELECT CAST(:trigger_id AS text), 0
  UNION ALL
  SELECT h.went_on_from, c.back + 1 FROM chain c
  JOIN history h ON h.trigger_id = c.trigger_id AND h.position = 0
  WHERE h.room = :room AND h.went_on_from <> h.trigger_id AND c.back < :most
)
SELECT h.trigger_id, h.message, h.rests_on, h.only_for FROM chain c
JOIN history h ON h.trigger_id = c.trigger_id
WHERE h.room = :room AND h.message <> :reset
ORDER BY c.back DESC, h.position

-- name: begun_by
SELECT trigger_id FROM history WHERE conversation = :conversation AND message = :reset
ORDER BY id DESC LIMIT 1

-- name: first_of
SELECT message FROM history WHERE trigger_id = :trigger_id AND position = 0

-- name: reword
UPDATE history SET message = :message
WHERE trigger_id = :trigger_id AND position = 0 AND message = :was

-- name: bring
INSERT INTO brought (event_id, trigger_id, at) VALUES (:event_id, :trigger_id, lycatra_now())
ON CONFLICT (event_id, trigger_id) DO NOTHING

-- name: brought_by
SELECT trigger_id FROM brought WHERE event_id = :event_id ORDER BY trigger_id

-- name: not_brought
DELETE FROM brought WHERE event_id = :event_id AND trigger_id = :trigger_id

-- name: forget_old_brought
DELETE FROM brought WHERE at < lycatra_now() - :keep_ms

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
