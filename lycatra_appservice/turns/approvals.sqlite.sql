-- name: lock_target
-- Every transaction that writes is alone already.
SELECT 1 AS locked WHERE :target IS NOT NULL
