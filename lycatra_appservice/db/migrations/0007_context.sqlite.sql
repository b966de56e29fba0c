-- compat: 1
-- What tools want said later, each by a turn of its own that begins when it is due. `open`: it has
-- not been said and was not taken back; the row stays as long as its turn, so that whoever takes
-- back the question (`asked_by`) takes back what was said of it, too.
CREATE TABLE timer (
  trigger_id text PRIMARY KEY REFERENCES turn (trigger_id) ON DELETE CASCADE,
  namespace text NOT NULL,
  room text NOT NULL,
  name text NOT NULL,
  person text NOT NULL,
  asked_by text,
  due_at integer NOT NULL,
  open integer NOT NULL DEFAULT 1
);
CREATE UNIQUE INDEX timer_name ON timer (namespace, room, name) WHERE open = 1;
CREATE INDEX timer_room ON timer (room) WHERE open = 1;
CREATE INDEX timer_person ON timer (person) WHERE open = 1;
CREATE INDEX timer_asked_by ON timer (asked_by) WHERE asked_by IS NOT NULL;
