-- compat: 1
-- What MCP servers want to know of people: asked in `room`, answered by `person` alone.
-- Once `closed_at` is set, nobody waits any more, and the words are gone.
CREATE TABLE question (
  code text PRIMARY KEY,
  namespace text NOT NULL,
  tool text NOT NULL,
  room text NOT NULL,
  person text NOT NULL,
  asked_by text,
  message text NOT NULL,
  form text NOT NULL,
  until_at integer NOT NULL,
  answer text,
  closed_at integer
);
CREATE INDEX question_open ON question (room, closed_at);

-- What each MCP server had when it was last seen, so that its tools are known while it is away.
CREATE TABLE remote_list (
  server text PRIMARY KEY,
  tools text NOT NULL,
  at integer NOT NULL
);
