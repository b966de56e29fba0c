-- compat: 1
-- Which tools a replica has: those that live together should have the same.
ALTER TABLE replica ADD COLUMN tools text;

-- What tools remember; place is empty for the whole deployment, else a room or a person.
CREATE TABLE tool_state (
  namespace text NOT NULL,
  place text NOT NULL,
  key text NOT NULL,
  value text NOT NULL,
  at integer NOT NULL,
  PRIMARY KEY (namespace, place, key)
);
CREATE INDEX tool_state_at ON tool_state (at) WHERE place <> '';
