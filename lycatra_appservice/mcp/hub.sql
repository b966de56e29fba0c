-- name: put_answer
INSERT INTO mcp_answer (nonce, request_id, message, at)
VALUES (:nonce, :request_id, :message, lycatra_now())
ON CONFLICT (nonce, request_id) DO NOTHING

-- name: take_answer
DELETE FROM mcp_answer WHERE nonce = :nonce AND request_id = :request_id RETURNING message

-- name: revoke
INSERT INTO mcp_revoked (nonce, expires_at) VALUES (:nonce, :expires_at)
ON CONFLICT (nonce) DO NOTHING

-- name: is_revoked
SELECT 1 AS yes FROM mcp_revoked WHERE nonce = :nonce

-- name: watch
INSERT INTO mcp_watch (nonce, uri, expires_at) VALUES (:nonce, :uri, :expires_at)
ON CONFLICT (nonce, uri) DO NOTHING

-- name: unwatch
DELETE FROM mcp_watch WHERE nonce = :nonce AND uri = :uri

-- name: watched
SELECT uri FROM mcp_watch WHERE nonce = :nonce

-- name: forget_answers
DELETE FROM mcp_answer WHERE at < lycatra_now() - :keep_ms

-- name: forget_revoked
DELETE FROM mcp_revoked WHERE expires_at < lycatra_now()

-- name: forget_watched
DELETE FROM mcp_watch WHERE expires_at < lycatra_now()
