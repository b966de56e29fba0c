-- name: take
-- One worker per file, so another owner is a process that has ended.
UPDATE crypto_lease SET owner = :owner, fence = fence + 1, lease_until = lycatra_now() + :lease_ms
WHERE id = 1 AND (owner IS NULL OR owner <> :owner OR lease_until < lycatra_now())
RETURNING fence

-- name: check
SELECT fence FROM crypto_lease WHERE id = 1 AND owner = :owner AND fence = :fence
