-- compat: 1
-- What was done through the gate. Rows are only added: the triggers below let nothing through
-- but taking arguments away, and removing what is older than six days.
CREATE TABLE audit (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at bigint NOT NULL,
  call text NOT NULL,
  person text NOT NULL,
  face text NOT NULL,
  room text,
  trigger_id text,
  tool text NOT NULL,
  decision text NOT NULL,
  outcome text NOT NULL,
  took_ms bigint,
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

CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the audit is append-only, and keeps everything for six days';
END $$;
CREATE TRIGGER audit_is_append_only BEFORE UPDATE OF id, at, call, person, face, room, trigger_id,
  tool, decision, outcome, took_ms, approval, approvers, reference ON audit
FOR EACH ROW EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_arguments_only_go BEFORE UPDATE OF arguments, arguments_hash ON audit
FOR EACH ROW WHEN (NEW.arguments IS NOT NULL OR NEW.arguments_hash IS NOT NULL)
EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit
FOR EACH ROW WHEN (OLD.at > CAST(extract(epoch FROM statement_timestamp()) * 1000 AS bigint) - 518400000)
EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_is_not_emptied BEFORE TRUNCATE ON audit
FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();

-- Equal calls have equal hashes; who does not have this key cannot guess what they were.
CREATE TABLE audit_key (key text NOT NULL);
INSERT INTO audit_key (key)
VALUES (replace(CAST(gen_random_uuid() AS text) || CAST(gen_random_uuid() AS text), '-', ''));
