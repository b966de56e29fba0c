-- compat: 1
-- How often a run of a turn has waited for an approval, and for which it waits now.
ALTER TABLE turn ADD COLUMN parks integer NOT NULL DEFAULT 0;
ALTER TABLE turn ADD COLUMN waiting_for bigint;
DROP INDEX turn_head;
CREATE INDEX turn_head ON turn (lane, id) WHERE state IN ('queued', 'running', 'waiting', 'sending');

-- A change that people are asked about. `run` and `step_name` say which call of which run of
-- the turn; the card is row `card_n` of the turn, one of `sends` from `first_n`. A newer one of
-- the same `tool` and `target` takes its place. `why`: more about how it ended; `outcome`: what
-- came of the call. What the call says is erased with the texts of its turn; the bare row stays.
CREATE TABLE approval (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  code text NOT NULL UNIQUE,
  face text NOT NULL,
  turn_id bigint REFERENCES turn ON DELETE CASCADE,
  trigger_id text,
  run integer NOT NULL DEFAULT 0,
  step_name text NOT NULL DEFAULT '',
  first_n integer NOT NULL DEFAULT 0,
  sends integer NOT NULL DEFAULT 0,
  card_n integer,
  requester text NOT NULL,
  room text,
  card_room text,
  tool text NOT NULL,
  target text NOT NULL DEFAULT '',
  args text NOT NULL,
  args_hash text NOT NULL,
  shown text NOT NULL,
  rule text NOT NULL,
  state text NOT NULL DEFAULT 'open',
  why text,
  outcome text,
  superseded_by bigint,
  created_at bigint NOT NULL,
  expires_at bigint NOT NULL,
  decided_at bigint,
  decided_by text
);
CREATE INDEX approval_turn ON approval (turn_id);
CREATE INDEX approval_trigger ON approval (trigger_id);
CREATE INDEX approval_begun ON approval (turn_id) WHERE state IN ('approved', 'used') AND outcome IS NULL;
CREATE INDEX approval_open ON approval (expires_at) WHERE state = 'open';

-- `target` is what was voted on: a card's event id, or a code. `approval` is NULL as long as no
-- card of that event id is known.
CREATE TABLE vote (
  event_id text PRIMARY KEY,
  target text NOT NULL,
  approval bigint REFERENCES approval ON DELETE CASCADE,
  voter text NOT NULL,
  yes integer NOT NULL,
  withdrawn integer NOT NULL DEFAULT 0,
  at bigint NOT NULL
);
CREATE INDEX vote_approval ON vote (approval);
CREATE INDEX vote_early ON vote (target) WHERE approval IS NULL;

-- That somebody was asked and how the wait ended: the audit has it by the same commit. What the
-- call says goes with the rest of its turn's words.
CREATE FUNCTION audit_approval() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO audit (at, call, person, face, room, trigger_id, tool, decision, outcome,
    arguments, approval, approvers)
  VALUES (COALESCE(NEW.decided_at, NEW.created_at), 'approval-' || NEW.id, NEW.requester, NEW.face,
    NEW.room, NEW.trigger_id, NEW.tool,
    CASE NEW.state WHEN 'open' THEN 'needs_approval' ELSE NEW.state END, '',
    CAST(NEW.shown AS json) ->> 'arguments', NEW.code,
    COALESCE(CAST(array_to_json(string_to_array(NEW.decided_by, ' ')) AS text), '[]'))
  ON CONFLICT (call, decision, outcome) DO NOTHING;
  RETURN NULL;
END $$;
CREATE TRIGGER approval_is_asked AFTER INSERT ON approval
FOR EACH ROW EXECUTE FUNCTION audit_approval();
CREATE TRIGGER approval_has_ended AFTER UPDATE OF state ON approval
FOR EACH ROW WHEN (OLD.state <> NEW.state AND NEW.state IN ('approved', 'denied', 'expired', 'withdrawn'))
EXECUTE FUNCTION audit_approval();
