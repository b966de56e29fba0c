-- name: take
UPDATE crypto_lease SET owner = :owner, fence = fence + 1, lease_until = lycatra_now() + :lease_ms
WHERE id = 1 AND (owner IS NULL OR lease_until < lycatra_now())
RETURNING fence

-- name: check
-- Shared, so that nobody can take it before this transaction has ended.
SELECT fence FROM crypto_lease WHERE id = 1 AND owner = :owner AND fence = :fence FOR SHARE
