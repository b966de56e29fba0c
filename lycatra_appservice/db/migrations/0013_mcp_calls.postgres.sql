-- compat: 1
-- Changes that MCP clients asked for, each with a turn of its own (`mcp:<id>`). Of the same call
-- by the same person there is one at a time, until its end was fetched.
CREATE TABLE mcp_call (
  id text PRIMARY KEY,
  key text NOT NULL,
  person text NOT NULL,
  client text NOT NULL,
  token text,
  room text,
  tool text NOT NULL,
  args text NOT NULL,
  created_at bigint NOT NULL,
  ending text,
  ended_at bigint,
  fetched_at bigint
);
CREATE UNIQUE INDEX mcp_call_open ON mcp_call (key) WHERE fetched_at IS NULL;
CREATE INDEX mcp_call_created ON mcp_call (created_at);
