-- name: find
SELECT lane FROM turn WHERE trigger_id = :trigger_id

-- name: hold_lane
-- Locks the lane, or makes one that has nothing to do yet.
INSERT INTO lane (key, kind) VALUES (:key, :kind)
ON CONFLICT (key) DO UPDATE SET kind = lane.kind
RETURNING key

-- name: held
SELECT id, lane, state, cancel_requested, finished_at, input,
  EXISTS (SELECT 1 FROM step s WHERE s.turn_id = turn.id AND s.changes = 1) AS changes,
  EXISTS (SELECT 1 FROM step s WHERE s.turn_id = turn.id AND s.changes = 1 AND s.state = 'started') AS changing,
  EXISTS (SELECT 1 FROM send s WHERE s.turn_id = turn.id AND s.sent_at IS NOT NULL) AS said
FROM turn WHERE trigger_id = :trigger_id
