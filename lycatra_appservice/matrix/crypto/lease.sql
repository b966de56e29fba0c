-- name: renew
UPDATE crypto_lease SET lease_until = lycatra_now() + :lease_ms
WHERE id = 1 AND owner = :owner AND fence = :fence
RETURNING fence

-- name: give_back
UPDATE crypto_lease SET owner = NULL, lease_until = NULL
WHERE id = 1 AND owner = :owner AND fence = :fence
RETURNING fence

-- name: holder
SELECT owner FROM crypto_lease WHERE id = 1 AND owner IS NOT NULL
