-- name: get_outbound
-- Locked: who reads it writes the next message with it, and no two messages share a place.
SELECT session_id, pickle, max_age_ms, max_messages, messages, created_at, used_at, members
FROM crypto_outbound WHERE user_id = :user_id AND room = :room
FOR UPDATE

-- name: stale
-- Which of these people's devices have changed since they were read, or were never read.
SELECT p.user_id FROM json_array_elements_text(CAST(:people AS text)::json) AS p(user_id)
LEFT JOIN crypto_person c ON c.user_id = p.user_id
WHERE c.user_id IS NULL OR c.known < c.wanted
