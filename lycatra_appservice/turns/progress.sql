-- name: rows
-- What one stretch of a run has shown, the message first, then its edits.
SELECT n, sender, event_id, sent_at, dropped FROM send
WHERE turn_id = :turn_id AND n >= :first_n AND n < :first_n + :most ORDER BY n

-- name: shown
SELECT s.*, NULL AS target, NULL AS target_mxc, NULL AS target_file, t.state, t.first_n, t.parks,
  lycatra_now() AS now_ms,
  EXISTS (SELECT 1 FROM send o WHERE o.turn_id = s.turn_id AND o.n >= s.n AND o.n < s.n + :most
    AND o.sent_at IS NULL AND o.dropped IS NULL) AS unsent,
  EXISTS (SELECT 1 FROM send o WHERE o.turn_id = s.turn_id AND o.n >= s.n AND o.n < s.n + :most
    AND o.sent_at IS NULL AND o.dropped IN ('cancelled', 'asked anew')) AS doubtful
FROM send s JOIN turn t ON t.id = s.turn_id
WHERE s.trigger_id = :trigger_id AND s.n = :n
