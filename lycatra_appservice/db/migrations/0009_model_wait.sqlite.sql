-- compat: 1
-- Requests to models that take only so many at a time: those under way, and those that wait for
-- their place; while some wait, also who was served. `nth`: in which round, see WaitStore. A row
-- whose lease has ended belongs to nobody any more.
CREATE TABLE model_wait (
  id integer PRIMARY KEY AUTOINCREMENT,
  backend text NOT NULL,
  person text NOT NULL,
  asked_at integer NOT NULL,
  nth integer NOT NULL,
  owner text NOT NULL,
  lease_until integer NOT NULL,
  state text NOT NULL DEFAULT 'waiting'
);
CREATE INDEX model_wait_order ON model_wait (backend, state, nth, id);
CREATE INDEX model_wait_owner ON model_wait (owner);
