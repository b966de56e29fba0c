-- compat: 1
-- How often a run of a turn has waited for an approval, and for which it waits now.
ALTER TABLE turn ADD COLUMN parks integer NOT NULL DEFAULT 0;
ALTER TABLE turn ADD COLUMN waiting_for integer;
DROP INDEX turn_head;
CREATE INDEX turn_head ON turn (lane, id) WHERE state IN ('queued', 'running', 'waiting', 'sending');

-- A change that people are asked about. `run` and `step_name` say which call of which run of
-- the turn; the card is row `card_n` of the turn, one of `sends` from `first_n`. A newer one of
-- the same `tool` and `target` takes its place. `why`: more about how it ended; `outcome`: what
-- came of the call. What the call says is erased with the texts of its turn; the bare row stays.
CREATE TABLE approval (
  id integer PRIMARY KEY AUTOINCREMENT,
  code text NOT NULL UNIQUE,
  face text NOT NULL,
  turn_id integer REFERENCES turn ON DELETE CASCADE,
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
  superseded_by integer,
  created_at integer NOT NULL,
  expires_at integer NOT NULL,
  decided_at integer,
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
  approval integer REFERENCES approval ON DELETE CASCADE,
  voter text NOT NULL,
  yes integer NOT NULL,
  withdrawn integer NOT NULL DEFAULT 0,
  at integer NOT NULL
);
CREATE INDEX vote_approval ON vote (approval);
CREATE INDEX vote_early ON vote (target) WHERE approval IS NULL;

-- That somebody was asked and how the wait ended: the audit has it by the same commit. What the
-- call says goes with the rest of its turn's words.
CREATE TRIGGER approval_is_asked AFTER INSERT ON approval
BEGIN
  INSERT INTO audit (at, call, person, face, room, trigger_id, tool, decision, outcome,
    arguments, approval, approvers)
  VALUES (NEW.created_at, 'approval-' || NEW.id, NEW.requester, NEW.face, NEW.room,
    NEW.trigger_id, NEW.tool, 'needs_approval', '', json_extract(NEW.shown, '$.arguments'),
    NEW.code, '[]')
  ON CONFLICT (call, decision, outcome) DO NOTHING;
END;
CREATE TRIGGER approval_has_ended AFTER UPDATE OF state ON approval
WHEN OLD.state <> NEW.state AND NEW.state IN ('approved', 'denied', 'expired', 'withdrawn')
BEGIN
  INSERT INTO audit (at, call, person, face, room, trigger_id, tool, decision, outcome,
    arguments, approval, approvers)
  VALUES (COALESCE(NEW.decided_at, NEW.created_at), 'approval-' || NEW.id, NEW.requester,
    NEW.face, NEW.room, NEW.trigger_id, NEW.tool, NEW.state, '',
    json_extract(NEW.shown, '$.arguments'), NEW.code,
    CASE WHEN NEW.decided_by IS NULL THEN '[]' ELSE
      '["' || replace(replace(replace(NEW.decided_by, '\', '\\'), '"', '\"'), ' ', '","') || '"]' END)
  ON CONFLICT (call, decision, outcome) DO NOTHING;
END;
