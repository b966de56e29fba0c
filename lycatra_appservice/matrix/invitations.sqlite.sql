-- name: one_at_a_time
-- A transaction is alone anyway.
SELECT 1 AS alone
