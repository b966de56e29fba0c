-- name: find
SELECT trigger_id, lane, state, input FROM turn WHERE trigger_id = :trigger_id

-- name: is_shown
SELECT 1 AS yes FROM turn t JOIN send s ON s.turn_id = t.id
WHERE t.trigger_id = :trigger_id AND t.state IN ('running', 'waiting')
  AND s.kind IN ('message', 'card') AND s.sent_at IS NOT NULL AND s.dropped IS NULL LIMIT 1

-- name: find_message
SELECT t.trigger_id, t.lane, t.state, t.input, s.n, s.room, s.sender, s.content
FROM send s JOIN turn t ON t.id = s.turn_id WHERE s.event_id = :event_id LIMIT 1

-- name: open_in_room
SELECT trigger_id, lane, state, input FROM turn
WHERE state IN ('queued', 'running', 'waiting', 'sending')
  AND substr(lane, 1, length(CAST(:prefix AS text))) = CAST(:prefix AS text)
ORDER BY id

-- name: journaled
SELECT s.output FROM step s JOIN turn t ON t.id = s.turn_id
WHERE t.trigger_id = :trigger_id AND s.name = :name AND s.state = 'done'

-- name: steps
SELECT s.name, s.output, s.at FROM step s JOIN turn t ON t.id = s.turn_id
WHERE t.trigger_id = :trigger_id AND s.state = 'done' ORDER BY s.at, s.name
