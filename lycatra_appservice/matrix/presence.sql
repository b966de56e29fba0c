-- name: get_ghost
SELECT profile_hash, next_batch FROM ghost WHERE user_id = :user_id

-- name: put_profile_hash
INSERT INTO ghost (user_id, profile_hash) VALUES (:user_id, :profile_hash)
ON CONFLICT (user_id) DO UPDATE SET profile_hash = excluded.profile_hash

-- name: put_next_batch
INSERT INTO ghost (user_id, next_batch) VALUES (:user_id, :next_batch)
ON CONFLICT (user_id) DO UPDATE SET next_batch = excluded.next_batch

-- name: last_push
SELECT lycatra_now() - max(at) AS ago_ms FROM txn

-- name: all_ghosts
SELECT user_id FROM ghost ORDER BY user_id

-- name: forget_ghost
DELETE FROM ghost WHERE user_id = :user_id
