-- name: ask
-- Another content under the same transaction id: the first one was refused.
INSERT INTO crypto_seal (txn_id, user_id, room, type, digest, content, at)
VALUES (:txn_id, :user_id, :room, :type, :digest, :content, lycatra_now())
ON CONFLICT (txn_id) DO UPDATE SET digest = excluded.digest, content = excluded.content,
  type = excluded.type, room = excluded.room, user_id = excluded.user_id, sealed = NULL,
  problem = NULL, at = excluded.at
WHERE crypto_seal.digest <> excluded.digest OR crypto_seal.problem IS NOT NULL

-- name: look
SELECT sealed, problem FROM crypto_seal WHERE txn_id = :txn_id AND digest = :digest

-- name: over
DELETE FROM crypto_seal WHERE txn_id = :txn_id

-- name: open
SELECT user_id, room FROM crypto_seal WHERE sealed IS NULL AND problem IS NULL
GROUP BY user_id, room ORDER BY min(at) LIMIT 200

-- name: next
SELECT txn_id, type, digest, content FROM crypto_seal
WHERE user_id = :user_id AND room = :room AND sealed IS NULL AND problem IS NULL
ORDER BY at, txn_id LIMIT 1

-- name: put
UPDATE crypto_seal SET sealed = :sealed, content = NULL
WHERE txn_id = :txn_id AND digest = :digest AND sealed IS NULL
RETURNING txn_id

-- name: refuse
UPDATE crypto_seal SET problem = :problem, content = NULL
WHERE txn_id = :txn_id AND digest = :digest AND sealed IS NULL

-- name: forget
DELETE FROM crypto_seal WHERE at < lycatra_now() - :keep_ms
