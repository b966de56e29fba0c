-- name: shared_with
SELECT r.id FROM room r
JOIN member person ON person.room = r.id AND person.user_id = :person AND person.membership = 'join'
JOIN member ours ON ours.room = r.id AND ours.user_id = :main AND ours.membership = 'join'
WHERE r.membership = 'join' AND (r.encrypted = 0 OR CAST(:encrypted AS integer) = 1)
ORDER BY r.state_at DESC, r.id
LIMIT 200

-- name: inviter_of
SELECT inviter FROM invitation WHERE room = :room AND outcome = 'accepted' ORDER BY at DESC, event_id LIMIT 1
