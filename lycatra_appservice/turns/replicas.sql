-- name: with_other_tools
-- One of an older version does not say what it has.
SELECT count(*) AS replicas FROM replica
WHERE ended_at IS NULL AND seen_at > lycatra_now() - :silence_ms
  AND tools IS NOT NULL AND tools <> :tools
