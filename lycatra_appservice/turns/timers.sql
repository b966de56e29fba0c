-- name: put
INSERT INTO timer (trigger_id, namespace, room, name, person, asked_by, due_at)
VALUES (:trigger_id, :namespace, :room, :name, :person, :asked_by, lycatra_now() + :delay_ms)
ON CONFLICT (trigger_id) DO UPDATE SET open = 1, person = excluded.person, due_at = excluded.due_at

-- name: revive
-- Set twice by the same run, or by a run after a crash; what has begun to be said stays as it is.
UPDATE turn SET state = 'queued', input = :input, run_at = lycatra_now() + :delay_ms, starts = 0,
  failures = 0, cancel_requested = 0, finished_at = NULL
WHERE trigger_id = :trigger_id AND state IN ('queued', 'cancelled')
  AND NOT EXISTS (SELECT 1 FROM send s WHERE s.turn_id = turn.id)
RETURNING id

-- name: of_name
SELECT m.*, t.id AS turn_id FROM timer m JOIN turn t ON t.trigger_id = m.trigger_id
WHERE m.namespace = :namespace AND m.room = :room AND m.name = :name AND m.open = 1

-- name: of_room
SELECT namespace, room, name FROM timer WHERE room = :room AND open = 1 ORDER BY trigger_id

-- name: of_question
SELECT m.*, t.id AS turn_id, t.finished_at FROM timer m JOIN turn t ON t.trigger_id = m.trigger_id
WHERE m.asked_by = :trigger_id ORDER BY m.trigger_id

-- name: count
SELECT coalesce(sum(CASE WHEN room = :room THEN 1 ELSE 0 END), 0) AS of_room,
  coalesce(sum(CASE WHEN person = :person THEN 1 ELSE 0 END), 0) AS of_person
FROM timer WHERE open = 1 AND (room = :room OR person = :person) AND trigger_id <> :trigger_id

-- name: late
SELECT lycatra_now() - due_at AS late_ms FROM timer WHERE trigger_id = :trigger_id

-- name: close
UPDATE timer SET open = 0 WHERE trigger_id = :trigger_id

-- name: erase
UPDATE turn SET input = '{}', error = NULL WHERE id = :turn_id
