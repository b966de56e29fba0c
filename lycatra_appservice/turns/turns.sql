-- name: mark_transaction
-- Ids start at 1 again after a restart of some homeservers: `at` is when it came last.
INSERT INTO txn (id, at) VALUES (:txn, lycatra_now()) ON CONFLICT (id) DO UPDATE SET at = excluded.at

-- name: insert_dead_letter
INSERT INTO dead_letter (event_id, reason, raw, at) VALUES (:event_id, :reason, :raw, lycatra_now())

-- name: insert_turn
INSERT INTO turn (lane, trigger_id, run_at, created_at, input)
VALUES (:lane, :trigger_id, lycatra_now(), lycatra_now(), :input)
ON CONFLICT (trigger_id) DO NOTHING
RETURNING lane

-- name: ready_lane
-- DO UPDATE even where nothing changes: it locks the row, and that lock prevents the lost wake-up.
INSERT INTO lane (key, kind, ready_at) VALUES (:key, :kind, lycatra_now())
ON CONFLICT (key) DO UPDATE SET ready_at = excluded.ready_at
WHERE lane.ready_at IS NULL OR lane.ready_at > excluded.ready_at

-- name: ready_kinds
SELECT DISTINCT kind FROM lane WHERE owner IS NULL AND ready_at <= lycatra_now()

-- name: load_steps
SELECT name, state, args_hash, output FROM step WHERE turn_id = :turn_id

-- name: load_sends
SELECT s.*, t.event_id AS target, CASE WHEN t.sent_at IS NOT NULL THEN t.mxc END AS target_mxc,
  CASE WHEN t.sent_at IS NOT NULL AND t.kind = 'upload' THEN t.content END AS target_file
FROM send s LEFT JOIN send t ON t.turn_id = s.turn_id AND t.n = s.target_n
WHERE s.turn_id = :turn_id ORDER BY s.n

-- name: insert_send
INSERT INTO send (turn_id, n, trigger_id, kind, room, sender, target_n, txn_id, content, data)
VALUES (:turn_id, :n, :trigger_id, :kind, :room, :sender, :target_n, :txn_id, :content, :data)
ON CONFLICT (turn_id, n) DO NOTHING
RETURNING n

-- name: mark_sent
UPDATE send SET event_id = :event_id, mxc = coalesce(:mxc, mxc), sent_at = lycatra_now(), data = NULL
WHERE turn_id = :turn_id AND n = :n
  AND EXISTS (SELECT 1 FROM lane WHERE key = :lane AND owner = :owner AND fence = :fence)
RETURNING n

-- name: amend_send
UPDATE send SET sender = :sender, content = :content, txn_id = :txn_id, amended = amended + 1
WHERE turn_id = :turn_id AND n = :n AND sent_at IS NULL
  AND EXISTS (SELECT 1 FROM lane WHERE key = :lane AND owner = :owner AND fence = :fence)
RETURNING n

-- name: keep_mxc
UPDATE send SET mxc = :mxc WHERE turn_id = :turn_id AND n = :n
  AND EXISTS (SELECT 1 FROM lane WHERE key = :lane AND owner = :owner AND fence = :fence)
RETURNING n

-- name: drop_send
UPDATE send SET dropped = :why, data = NULL WHERE turn_id = :turn_id AND n = :n AND sent_at IS NULL
  AND EXISTS (SELECT 1 FROM lane WHERE key = :lane AND owner = :owner AND fence = :fence)
RETURNING n

-- name: drop_room
UPDATE send SET dropped = :why, data = NULL
WHERE turn_id = :turn_id AND room = :room AND sent_at IS NULL AND dropped IS NULL
  AND EXISTS (SELECT 1 FROM lane WHERE key = :lane AND owner = :owner AND fence = :fence)
RETURNING n

-- name: count_attempt
UPDATE send SET attempt = attempt + 1 WHERE turn_id = :turn_id AND n = :n
  AND EXISTS (SELECT 1 FROM lane WHERE key = :lane AND owner = :owner AND fence = :fence)
RETURNING n

-- name: drop_unsent
UPDATE send SET dropped = :why, data = NULL
WHERE turn_id = :turn_id AND sent_at IS NULL AND dropped IS NULL

-- name: set_sending
-- What an earlier try had failed with is no longer the turn's outcome.
UPDATE turn SET state = 'sending', error = :error, failures = :failures
WHERE id = :turn_id AND state = 'running' AND cancel_requested = 0
RETURNING id

-- name: move_turn
UPDATE turn SET lane = :to_lane, state = 'queued', run_at = lycatra_now(), starts = 0
WHERE id = :turn_id AND state = 'running' AND cancel_requested = 0
RETURNING id

-- name: draft_ends
SELECT t.id, t.lane FROM send s
JOIN turn t ON t.trigger_id = 'draft:' || s.trigger_id || ':' || s.n
WHERE s.turn_id = :turn_id AND s.n < 0 AND s.kind = 'message' AND t.state = 'queued'
ORDER BY t.lane

-- name: hasten
UPDATE turn SET run_at = lycatra_now() WHERE id = :turn_id AND state = 'queued'

-- name: set_ended
-- What did nothing and said nothing was not meant for us: its words are not kept. Nor are those
-- of an edit, which stand in the turn that it is about, or nowhere.
UPDATE turn SET state = :state, error = :error, finished_at = lycatra_now(),
  input = CASE WHEN CAST(:forget AS integer) = 0
                AND (EXISTS (SELECT 1 FROM send WHERE turn_id = :turn_id)
                  OR EXISTS (SELECT 1 FROM step WHERE turn_id = :turn_id)) THEN input ELSE '{}' END
WHERE id = :turn_id AND state IN ('running', 'waiting', 'sending')
RETURNING id

-- name: retry_turn
UPDATE turn SET state = CASE WHEN state = 'running' THEN 'queued' ELSE state END,
  run_at = lycatra_now() + :delay_ms, failures = failures + :failed, starts = 0,
  error = coalesce(:error, error)
WHERE id = :turn_id AND state IN ('running', 'waiting', 'sending')
RETURNING id

-- name: release_lane
-- Ready when its next head is; NULL when it has none. A turn that waits is none, once its card
-- is out: later ones pass it.
UPDATE lane SET owner = NULL, lease_until = NULL, ready_at = (
    SELECT CASE WHEN t.run_at > lycatra_now() + :not_before_ms THEN t.run_at
                ELSE lycatra_now() + :not_before_ms END
    FROM turn t WHERE t.lane = :lane AND t.state IN ('queued', 'running', 'waiting', 'sending')
      AND (t.state <> 'waiting' OR EXISTS (
        SELECT 1 FROM send s WHERE s.turn_id = t.id AND s.sent_at IS NULL AND s.dropped IS NULL))
    ORDER BY t.id LIMIT 1)
WHERE key = :lane AND owner = :owner AND fence = :fence

-- name: cancel_queued
UPDATE turn SET state = 'cancelled', waiting_for = NULL, finished_at = lycatra_now()
WHERE id = :turn_id AND state IN ('queued', 'waiting')
RETURNING id

-- name: request_cancel
UPDATE turn SET cancel_requested = 1 WHERE id = :turn_id AND state IN ('running', 'sending')
RETURNING id

-- name: is_cancel_requested
SELECT cancel_requested FROM turn WHERE id = :turn_id

-- name: insert_replica
INSERT INTO replica (id, journal_min, journal_max, tools, started_at, seen_at)
VALUES (:owner, :journal_min, :journal_max, :tools, lycatra_now(), lycatra_now())
ON CONFLICT (id) DO UPDATE SET seen_at = lycatra_now()

-- name: end_replica
-- The row stays: its version may be about to come back, and turns wait for that.
UPDATE replica SET ended_at = lycatra_now(), seen_at = lycatra_now() WHERE id = :owner

-- name: forget_replicas
DELETE FROM replica WHERE seen_at < lycatra_now() - :keep_ms

-- name: replica_for_journal
SELECT id FROM replica
WHERE journal_min <= :journal_ver AND journal_max >= :journal_ver
  AND seen_at > lycatra_now() - :silence_ms
LIMIT 1

-- name: put_schedule
INSERT INTO schedule (name, every_ms, next_at) VALUES (:name, :every_ms, lycatra_now() + :first_ms)
ON CONFLICT (name) DO UPDATE SET every_ms = excluded.every_ms,
  next_at = CASE WHEN schedule.next_at > lycatra_now() + excluded.every_ms
                 THEN lycatra_now() + excluded.every_ms ELSE schedule.next_at END

-- name: schedule_names
SELECT name FROM schedule ORDER BY name

-- name: drop_schedule
DELETE FROM schedule WHERE name = :name

-- name: advance_schedule
UPDATE schedule SET next_at = next_at + ((lycatra_now() - next_at) / every_ms + 1) * every_ms
WHERE name = :name

-- name: stranded_lanes
SELECT t.lane AS key FROM turn t LEFT JOIN lane l ON l.key = t.lane
WHERE t.state IN ('queued', 'running', 'waiting', 'sending')
  AND (t.state <> 'waiting' OR EXISTS (
    SELECT 1 FROM send s WHERE s.turn_id = t.id AND s.sent_at IS NULL AND s.dropped IS NULL))
  AND t.created_at < lycatra_now() - 10000
  AND (l.key IS NULL OR (l.owner IS NULL AND l.ready_at IS NULL))
GROUP BY t.lane ORDER BY t.lane

-- name: is_stranded
SELECT 1 AS yes FROM lane l
WHERE l.key = :lane AND l.owner IS NULL AND l.ready_at IS NULL
  AND EXISTS (SELECT 1 FROM turn t
    WHERE t.lane = l.key AND t.state IN ('queued', 'running', 'waiting', 'sending')
      AND (t.state <> 'waiting' OR EXISTS (
        SELECT 1 FROM send s WHERE s.turn_id = t.id AND s.sent_at IS NULL AND s.dropped IS NULL)))

-- name: count_turns
SELECT t.state, coalesce(l.kind, 'job') AS kind, count(*) AS turns
FROM turn t LEFT JOIN lane l ON l.key = t.lane
WHERE t.state IN ('queued', 'running', 'waiting', 'sending')
  AND (t.state <> 'queued' OR t.run_at < lycatra_now() + 60000) -- not what is for later anyway
GROUP BY t.state, l.kind

-- name: count_unsent
SELECT count(*) AS unsent FROM send WHERE sent_at IS NULL AND dropped IS NULL

-- name: oldest_ready
SELECT lycatra_now() - min(ready_at) AS waited_ms FROM lane
WHERE owner IS NULL AND ready_at <= lycatra_now()

-- name: forget_texts
UPDATE turn SET input = '{}', error = NULL WHERE id IN (
  SELECT t.id FROM turn t WHERE t.finished_at < lycatra_now() - :keep_ms AND (
    t.input <> '{}' OR t.error IS NOT NULL OR EXISTS (SELECT 1 FROM step s WHERE s.turn_id = t.id)
    OR EXISTS (SELECT 1 FROM send s WHERE s.turn_id = t.id AND s.content <> '{}'))
  LIMIT 1000)
RETURNING id

-- name: forget_steps
DELETE FROM step WHERE turn_id = :turn_id

-- name: forget_approvals
UPDATE approval SET args = '{}', shown = '{}' WHERE turn_id = :turn_id

-- name: forget_contents
UPDATE send SET content = '{}', data = NULL WHERE turn_id = :turn_id

-- name: forget_turns
DELETE FROM turn WHERE id IN (
  SELECT id FROM turn WHERE finished_at < lycatra_now() - :keep_ms LIMIT 1000)
RETURNING id

-- name: forget_transactions
DELETE FROM txn WHERE at < lycatra_now() - :keep_ms

-- name: forget_dead_letters
DELETE FROM dead_letter WHERE at < lycatra_now() - :keep_ms

-- name: forget_to_device
DELETE FROM to_device WHERE at < lycatra_now() - :keep_ms

-- name: give_up_journal
-- No live replica can replay it: let it run into its apology.
UPDATE turn SET journal_ver = :journal_ver, error = :error, failures = :failures
WHERE id = :turn_id
