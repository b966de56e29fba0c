-- name: claim
UPDATE lane SET owner = :owner, fence = fence + 1, lease_until = lycatra_now() + :lease_ms
WHERE key IN (
  SELECT key FROM lane WHERE kind = :kind AND owner IS NULL AND ready_at <= lycatra_now()
  ORDER BY ready_at LIMIT :free)
RETURNING key, fence

-- name: take_heads
UPDATE turn SET state = CASE WHEN state = 'queued' THEN 'running' ELSE state END,
  starts = starts + CASE WHEN state IN ('sending', 'waiting') THEN 0 ELSE 1 END
WHERE id IN (
    SELECT (SELECT t.id FROM turn t
            WHERE t.lane = l.key AND t.state IN ('queued', 'running', 'waiting', 'sending')
              AND (t.state <> 'waiting' OR EXISTS (
                SELECT 1 FROM send s WHERE s.turn_id = t.id AND s.sent_at IS NULL AND s.dropped IS NULL))
            ORDER BY t.id LIMIT 1)
    FROM lane l WHERE l.key IN (SELECT value FROM json_each(:lanes)) AND l.owner = :owner)
  AND run_at <= lycatra_now()
  AND (state IN ('sending', 'waiting') OR journal_ver IS NULL OR journal_ver BETWEEN :journal_min AND :journal_max)
RETURNING *, lycatra_now() - created_at AS waited_ms

-- name: lock_lane
SELECT fence FROM lane WHERE key = :lane AND owner = :owner AND fence = :fence

-- name: lock_any_lane
SELECT key FROM lane WHERE key = :lane

-- name: set_journal_version
UPDATE turn SET journal_ver = :journal_ver WHERE id = :turn_id AND journal_ver IS NULL

-- name: journal
INSERT INTO step (turn_id, name, state, args_hash, output, changes, at)
SELECT :turn_id, :name, :state, :args_hash, :output, :changes, lycatra_now()
FROM lane WHERE key = :lane AND owner = :owner AND fence = :fence
ON CONFLICT (turn_id, name) DO UPDATE SET state = excluded.state, output = excluded.output, at = excluded.at
RETURNING name

-- name: head_of_lane
SELECT t.id, t.state, t.journal_ver, t.run_at - lycatra_now() AS due_in_ms FROM turn t
WHERE t.lane = :lane AND t.state IN ('queued', 'running', 'waiting', 'sending')
  AND (t.state <> 'waiting' OR EXISTS (
    SELECT 1 FROM send s WHERE s.turn_id = t.id AND s.sent_at IS NULL AND s.dropped IS NULL))
ORDER BY t.id LIMIT 1

-- name: beat
UPDATE lane SET lease_until = lycatra_now() + :lease_ms
WHERE owner = :owner AND key IN (SELECT value FROM json_each(:lanes)) RETURNING key, fence

-- name: cancelled
SELECT id FROM turn
WHERE lane IN (SELECT value FROM json_each(:lanes)) AND state IN ('running', 'sending')
  AND cancel_requested = 1

-- name: fences
SELECT key, fence FROM lane WHERE key IN (SELECT value FROM json_each(:lanes))

-- name: free_dead
-- One worker per file, so a lane of another owner belongs to a process that has ended.
UPDATE lane SET owner = NULL, lease_until = NULL, fence = fence + 1, ready_at = lycatra_now()
WHERE owner IS NOT NULL AND (lease_until < lycatra_now() OR owner <> :owner)
RETURNING key, kind

-- name: due_schedules
SELECT name, next_at FROM schedule WHERE next_at <= lycatra_now() ORDER BY name

-- name: forget_idle_lanes
-- A lane is kept as long as any turn of it: a new row would count its fence from 0 again.
DELETE FROM lane WHERE key IN (
  SELECT l.key FROM lane l WHERE l.owner IS NULL AND l.ready_at IS NULL
    AND NOT EXISTS (SELECT 1 FROM turn t WHERE t.lane = l.key)
  LIMIT 1000)
