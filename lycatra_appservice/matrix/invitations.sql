-- name: known_invitation
SELECT outcome FROM invitation WHERE event_id = :event_id

-- name: was_refused_lately
SELECT 1 AS yes FROM invitation
WHERE inviter = :inviter AND outcome = :outcome AND event_id <> :event_id
  AND at > lycatra_now() - :window_ms LIMIT 1

-- name: wait_for_person
-- A row: so many were accepted within the window, and when the first of them leaves it.
SELECT at + :window_ms - lycatra_now() AS wait_ms FROM invitation
WHERE outcome = 'accepted' AND inviter = :inviter AND at > lycatra_now() - :window_ms
ORDER BY at DESC LIMIT 1 OFFSET CAST(:others AS integer)

-- name: wait_for_server
SELECT at + :window_ms - lycatra_now() AS wait_ms FROM invitation
WHERE outcome = 'accepted' AND server = :server AND at > lycatra_now() - :window_ms
ORDER BY at DESC LIMIT 1 OFFSET CAST(:others AS integer)

-- name: wait_for_room
SELECT at + :window_ms - lycatra_now() AS wait_ms FROM invitation
WHERE outcome = 'accepted' AND room = :room AND user_id = :user_id
  AND at > lycatra_now() - :window_ms
ORDER BY at DESC LIMIT 1 OFFSET CAST(:others AS integer)

-- name: put_invitation
INSERT INTO invitation (event_id, room, user_id, inviter, server, outcome, at)
VALUES (:event_id, :room, :user_id, :inviter, :server, :outcome, lycatra_now())

-- name: forget_invitations
DELETE FROM invitation WHERE at < lycatra_now() - :keep_ms
