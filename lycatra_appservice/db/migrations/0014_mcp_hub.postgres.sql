-- compat: 1
-- What one replica has to know of an MCP session that another one heard of.
CREATE TABLE mcp_answer (
  nonce text NOT NULL,
  request_id text NOT NULL,
  message text NOT NULL,
  at bigint NOT NULL,
  PRIMARY KEY (nonce, request_id)
);
CREATE TABLE mcp_revoked (
  nonce text PRIMARY KEY,
  expires_at bigint NOT NULL
);
CREATE TABLE mcp_watch (
  nonce text NOT NULL,
  uri text NOT NULL,
  expires_at bigint NOT NULL,
  PRIMARY KEY (nonce, uri)
);
