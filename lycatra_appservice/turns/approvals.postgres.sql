-- name: lock_target
-- Whoever marks a card as sent and whoever votes on it come one after the other.
SELECT pg_advisory_xact_lock(hashtextextended(CAST(:target AS text), 0))
