-- compat: 1
-- What was done through the gate. Rows are only added: the triggers below let nothing through
-- but taking arguments away, and removing what is older than six days.
CREATE TABLE audit (
  id integer PRIMARY KEY AUTOINCREMENT,
  at integer NOT NULL,
  call text NOT NULL,
  person text NOT NULL,
  face text NOT NULL,
  room text,
  trigger_id text,
  tool text NOT NULL,
  decision text NOT NULL,
  outcome text NOT NULL,
  took_ms integer,
  arguments text,
  arguments_hash text,
  approval text,
  approvers text,
  reference text,
  UNIQUE (call, decision, outcome)
);
CREATE INDEX audit_at ON audit (at);
CREATE INDEX audit_person ON audit (person, id);
CREATE INDEX audit_trigger ON audit (trigger_id) WHERE trigger_id IS NOT NULL;

CREATE TRIGGER audit_is_append_only BEFORE UPDATE OF id, at, call, person, face, room, trigger_id,
  tool, decision, outcome, took_ms, approval, approvers, reference ON audit
BEGIN
  SELECT RAISE(ABORT, 'the audit is append-only');
END;
CREATE TRIGGER audit_arguments_only_go BEFORE UPDATE OF arguments, arguments_hash ON audit
WHEN NEW.arguments IS NOT NULL OR NEW.arguments_hash IS NOT NULL
BEGIN
  SELECT RAISE(ABORT, 'the audit is append-only');
END;
CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit
WHEN OLD.at > CAST((julianday('now') - 2440587.5) * 86400000 AS integer) - 518400000
BEGIN
  SELECT RAISE(ABORT, 'the audit keeps everything for six days');
END;

-- Equal calls have equal hashes; who does not have this key cannot guess what they were.
CREATE TABLE audit_key (key text NOT NULL);
INSERT INTO audit_key (key) VALUES (lower(hex(randomblob(32))));
