-- name: insert
INSERT INTO mcp_token (id, hash, owner, name, scope, room, created_at, expires_at)
VALUES (:id, :hash, :owner, :name, :scope, :room, lycatra_now(), lycatra_now() + :lifetime_ms)
ON CONFLICT DO NOTHING
RETURNING id

-- name: end_expired
-- Their names are free again.
UPDATE mcp_token SET ended_at = lycatra_now(), ended_by = 'time'
WHERE owner = :owner AND ended_at IS NULL AND expires_at <= lycatra_now()

-- name: living_of
SELECT *, lycatra_now() AS now FROM mcp_token
WHERE owner = :owner AND ended_at IS NULL AND expires_at > lycatra_now() ORDER BY name

-- name: living
SELECT *, lycatra_now() AS now FROM mcp_token
WHERE ended_at IS NULL AND expires_at > lycatra_now() ORDER BY owner, name

-- name: by_hash
SELECT *, lycatra_now() AS now FROM mcp_token
WHERE hash = :hash AND ended_at IS NULL AND expires_at > lycatra_now()

-- name: end
UPDATE mcp_token SET ended_at = lycatra_now(), ended_by = :by
WHERE id = :id AND ended_at IS NULL
RETURNING id

-- name: touch
UPDATE mcp_token SET used_at = lycatra_now()
WHERE id = :id AND (used_at IS NULL OR used_at < lycatra_now() - :every_ms)

-- name: forget
DELETE FROM mcp_token
WHERE expires_at < lycatra_now() - :keep_ms OR ended_at < lycatra_now() - :keep_ms
