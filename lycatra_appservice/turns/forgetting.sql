-- name: forget_turn
-- Cancelled, whatever it was: no late edit may wake it.
UPDATE turn SET input = '{}', error = NULL, state = 'cancelled' WHERE id = :turn_id

-- name: forget_words
UPDATE turn SET input = '{}', error = NULL WHERE id = :turn_id

-- name: forget_message
-- With the edits of it, which hold the same words.
UPDATE send SET content = '{}', data = NULL
WHERE turn_id = :turn_id AND (event_id = :event_id OR target_n = (
  SELECT s.n FROM send s WHERE s.turn_id = :turn_id AND s.event_id = :event_id))

-- name: trigger_of_message
SELECT trigger_id FROM send WHERE event_id = :event_id LIMIT 1

-- name: readers
-- Only questions read what was said before, and have it in their journals. One that runs without
-- a journal may just be reading.
SELECT id FROM turn
WHERE lane LIKE '%|ask'
  AND (state = 'running' OR (state IN ('queued', 'sending') AND journal_ver IS NOT NULL))
  AND substr(lane, 1, length(CAST(:prefix AS text))) = CAST(:prefix AS text)
ORDER BY id

-- name: forget_journals
DELETE FROM step WHERE EXISTS (
  SELECT 1 FROM turn t WHERE t.id = step.turn_id AND t.finished_at IS NOT NULL
    AND t.lane LIKE '%|ask'
    AND substr(t.lane, 1, length(CAST(:prefix AS text))) = CAST(:prefix AS text))

-- name: traces
SELECT s.*, NULL AS target, NULL AS target_mxc, lycatra_now() - t.finished_at AS ended_ago_ms
FROM send s JOIN turn t ON t.id = s.turn_id WHERE t.trigger_id = :trigger_id ORDER BY s.n
