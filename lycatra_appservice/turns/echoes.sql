-- name: is_late
-- An unfinished text that arrived after the last one: nobody who held the turn's lane has noted
-- it, for what such a one sends is noted before the last word goes out.
SELECT s.trigger_id, s.n FROM send s
WHERE s.event_id = :draft
  AND NOT EXISTS (SELECT 1 FROM send k WHERE k.event_id = :event_id)
  AND (EXISTS (SELECT 1 FROM send e
      WHERE e.turn_id = s.turn_id AND e.target_n = s.n AND e.kind = 'edit'
        AND e.sent_at IS NOT NULL AND e.content <> '{}'
        AND e.content LIKE :replaces AND e.content NOT LIKE :live)
    OR EXISTS (SELECT 1 FROM turn t JOIN send e ON e.turn_id = t.id
      WHERE t.trigger_id = 'draft:' || s.trigger_id || ':' || s.n AND e.sent_at IS NOT NULL))

-- name: last_word
-- The last edit of a message that was no unfinished one, by its own turn or by the one that ended
-- it.
SELECT e.*, NULL AS target, NULL AS target_mxc, NULL AS target_file, s.event_id AS draft
FROM send s
JOIN send e ON (e.turn_id = s.turn_id AND e.target_n = s.n)
  OR e.turn_id = (SELECT t.id FROM turn t
    WHERE t.trigger_id = 'draft:' || s.trigger_id || ':' || s.n)
WHERE s.trigger_id = :trigger_id AND s.n = :n AND s.event_id IS NOT NULL
  AND e.kind = 'edit' AND e.sent_at IS NOT NULL AND e.content <> '{}'
  AND e.content LIKE :replaces AND e.content NOT LIKE :live
ORDER BY e.sent_at DESC LIMIT 1
