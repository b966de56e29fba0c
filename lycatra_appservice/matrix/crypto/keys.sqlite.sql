-- name: get_outbound
SELECT session_id, pickle, max_age_ms, max_messages, messages, created_at, used_at, members
FROM crypto_outbound WHERE user_id = :user_id AND room = :room

-- name: stale
-- Which of these people's devices have changed since they were read, or were never read.
SELECT p.value AS user_id FROM json_each(:people) p
LEFT JOIN crypto_person c ON c.user_id = p.value
WHERE c.user_id IS NULL OR c.known < c.wanted
