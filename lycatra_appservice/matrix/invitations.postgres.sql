-- name: one_at_a_time
-- So that two replicas cannot both take the last place. Given back at the end of the transaction.
LOCK TABLE invitation IN SHARE ROW EXCLUSIVE MODE
