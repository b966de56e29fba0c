-- name: lock
SELECT state FROM crypto_inbox WHERE id = :id
