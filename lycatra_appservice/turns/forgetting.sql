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
WHERE (lane LIKE '%|ask' OR lane LIKE '%|background') AND (state = 'running'
  OR (state IN ('queued', 'waiting', 'sending') AND journal_ver IS NOT NULL))
  AND substr(lane, 1, length(CAST(:prefix AS text))) = CAST(:prefix AS text)
ORDER BY id

-- name: forget_journals
DELETE FROM step WHERE EXISTS (
  SELECT 1 FROM turn t WHERE t.id = step.turn_id AND t.finished_at IS NOT NULL
    AND (t.lane LIKE '%|ask' OR t.lane LIKE '%|background')
    AND substr(t.lane, 1, length(CAST(:prefix AS text))) = CAST(:prefix AS text))

-- name: traces
-- The turns that edit a card, or end what shows progress or a draft, have names of which no index but that of the names is needed.
SELECT s.*, NULL AS target, NULL AS target_mxc, NULL AS target_file, lycatra_now() - t.finished_at AS ended_ago_ms,
  NULL AS of_card, 0 AS later
FROM send s JOIN turn t ON t.id = s.turn_id WHERE t.trigger_id = :trigger_id
UNION ALL
SELECT s.*, NULL, NULL, NULL, lycatra_now() - t.finished_at, c.event_id, 1
FROM approval a
JOIN turn t ON t.trigger_id IN (
  'card:' || a.id || ':approved', 'card:' || a.id || ':denied', 'card:' || a.id || ':expired',
  'card:' || a.id || ':withdrawn', 'card:' || a.id || ':done', 'card:' || a.id || ':failed',
  'card:' || a.id || ':unknown', 'card:' || a.id || ':late')
JOIN send s ON s.turn_id = t.id
LEFT JOIN send c ON c.turn_id = a.turn_id AND c.n = a.card_n
WHERE a.trigger_id = :trigger_id
UNION ALL
SELECT s.*, NULL, NULL, NULL, lycatra_now() - t.finished_at, p.event_id, 1
FROM send p
JOIN turn t ON t.trigger_id IN ('progress:' || p.trigger_id || ':' || p.n,
  'draft:' || p.trigger_id || ':' || p.n, 'repair:' || p.trigger_id || ':' || p.n)
JOIN send s ON s.turn_id = t.id
WHERE p.trigger_id = :trigger_id
UNION ALL
SELECT s.*, NULL, NULL, NULL, lycatra_now() - t.finished_at, NULL, 1
FROM timer m
JOIN turn t ON t.trigger_id = m.trigger_id
JOIN send s ON s.turn_id = t.id
WHERE m.asked_by = :trigger_id
ORDER BY later, n

-- name: is_being_shown
SELECT 1 AS yes FROM approval a
JOIN turn t ON t.trigger_id IN (
  'card:' || a.id || ':approved', 'card:' || a.id || ':denied', 'card:' || a.id || ':expired',
  'card:' || a.id || ':withdrawn', 'card:' || a.id || ':done', 'card:' || a.id || ':failed',
  'card:' || a.id || ':unknown', 'card:' || a.id || ':late')
WHERE a.trigger_id = :trigger_id AND t.finished_at IS NULL
UNION ALL
SELECT 1 FROM send p JOIN turn t ON t.trigger_id IN ('progress:' || p.trigger_id || ':' || p.n,
  'draft:' || p.trigger_id || ':' || p.n, 'repair:' || p.trigger_id || ':' || p.n)
WHERE p.trigger_id = :trigger_id AND t.finished_at IS NULL
UNION ALL
SELECT 1 FROM timer m JOIN turn t ON t.trigger_id = m.trigger_id
WHERE m.asked_by = :trigger_id AND t.state IN ('running', 'sending')
LIMIT 1

-- name: forget_ends_of_drafts
-- They repeat words of the answer.
UPDATE send SET content = '{}', dropped = CASE WHEN sent_at IS NULL
    THEN coalesce(dropped, 'cancelled') ELSE dropped END
WHERE turn_id IN (
  SELECT t.id FROM send p
  JOIN turn t ON t.trigger_id IN ('draft:' || p.trigger_id || ':' || p.n,
    'repair:' || p.trigger_id || ':' || p.n)
  WHERE p.turn_id = :turn_id AND p.n < 0)

-- name: forget_ends_of_cards
-- What is not out yet has no words any more, and stays here.
UPDATE send SET content = '{}', dropped = CASE WHEN sent_at IS NULL
    THEN coalesce(dropped, 'cancelled') ELSE dropped END
WHERE turn_id IN (
  SELECT t.id FROM approval a
  JOIN turn t ON t.trigger_id IN (
    'card:' || a.id || ':approved', 'card:' || a.id || ':denied', 'card:' || a.id || ':expired',
    'card:' || a.id || ':withdrawn', 'card:' || a.id || ':done', 'card:' || a.id || ':failed',
    'card:' || a.id || ':unknown', 'card:' || a.id || ':late')
  WHERE a.turn_id = :turn_id)
