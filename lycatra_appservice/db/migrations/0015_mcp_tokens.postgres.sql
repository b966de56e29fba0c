-- compat: 1
-- What MCP clients come with: only the hash of a token is kept.
CREATE TABLE mcp_token (
  id text PRIMARY KEY,
  hash text NOT NULL UNIQUE,
  owner text NOT NULL,
  name text NOT NULL,
  scope text NOT NULL,
  room text,
  created_at bigint NOT NULL,
  expires_at bigint NOT NULL,
  used_at bigint,
  ended_at bigint,
  ended_by text
);
CREATE UNIQUE INDEX mcp_token_name ON mcp_token (owner, name) WHERE ended_at IS NULL;
