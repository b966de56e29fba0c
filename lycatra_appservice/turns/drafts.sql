-- name: rows
-- What one stretch of a turn has shown, its messages and their edits. `is_last_word`: an edit
-- without the live marker, or the redaction of the message; an edit whose words are gone was none.
SELECT s.n, s.kind, s.room, s.sender, s.event_id, s.sent_at, s.dropped,
  CASE WHEN s.kind = 'edit' AND s.content <> '{}' AND s.content NOT LIKE :live
    THEN 1 ELSE 0 END AS is_last_word,
  CASE WHEN EXISTS (SELECT 1 FROM turn r WHERE r.trigger_id = 'forget:' || s.event_id)
    THEN 1 ELSE 0 END AS is_redacted
FROM send s
WHERE s.turn_id = :turn_id AND s.n >= :first_n AND s.n < :first_n + :most ORDER BY s.n

-- name: forget_older
-- An edit that another one has followed: nobody needs its words any more.
UPDATE send SET content = '{}'
WHERE turn_id = :turn_id AND n >= :first_n AND n < :n AND kind = 'edit' AND sent_at IS NOT NULL

-- name: stands
SELECT s.*, NULL AS target, NULL AS target_mxc, NULL AS target_file, t.state, t.parks, lycatra_now() AS now_ms,
  (SELECT e.content FROM send e
    WHERE e.turn_id = s.turn_id AND e.target_n = s.n AND e.kind = 'edit'
      AND e.sent_at IS NOT NULL AND e.content <> '{}' ORDER BY e.n DESC LIMIT 1) AS edited,
  CASE WHEN EXISTS (SELECT 1 FROM send e
    WHERE e.turn_id = s.turn_id AND e.target_n = s.n AND e.sent_at IS NOT NULL
      AND (e.kind = 'redaction' OR (e.kind = 'edit' AND e.content <> '{}'
        AND e.content LIKE :replaces AND e.content NOT LIKE :live)))
    OR EXISTS (SELECT 1 FROM turn r WHERE r.trigger_id = 'forget:' || s.event_id)
    THEN 1 ELSE 0 END AS has_ended,
  CASE WHEN EXISTS (SELECT 1 FROM send o
    WHERE o.turn_id = s.turn_id AND (o.n = s.n OR o.target_n = s.n)
      AND o.sent_at IS NULL AND o.dropped IS NULL)
    THEN 1 ELSE 0 END AS unsent
FROM send s JOIN turn t ON t.id = s.turn_id
WHERE s.trigger_id = :trigger_id AND s.n = :n
