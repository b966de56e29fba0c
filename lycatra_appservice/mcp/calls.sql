-- name: insert
INSERT INTO mcp_call (id, key, person, client, token, room, tool, args, created_at)
VALUES (:id, :key, :person, :client, :token, :room, :tool, :args, lycatra_now())
ON CONFLICT DO NOTHING
RETURNING id

-- name: of_key
SELECT c.*, t.finished_at, k.ended_by, lycatra_now() - c.ended_at AS ended_ms_ago
FROM mcp_call c LEFT JOIN turn t ON t.trigger_id = 'mcp:' || c.id
LEFT JOIN mcp_token k ON k.id = c.token
WHERE c.key = :key AND c.fetched_at IS NULL

-- name: get
SELECT c.*, t.finished_at, k.ended_by, lycatra_now() - c.ended_at AS ended_ms_ago
FROM mcp_call c LEFT JOIN turn t ON t.trigger_id = 'mcp:' || c.id
LEFT JOIN mcp_token k ON k.id = c.token
WHERE c.id = :id

-- name: end
UPDATE mcp_call SET ending = :ending, ended_at = lycatra_now()
WHERE id = :id AND ending IS NULL
RETURNING id

-- name: fetched
UPDATE mcp_call SET fetched_at = lycatra_now() WHERE id = :id AND fetched_at IS NULL

-- name: forget
DELETE FROM mcp_call WHERE created_at < lycatra_now() - :keep_ms
