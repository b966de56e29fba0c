-- compat: 1
-- What a run of a turn sends is numbered from here; a question that was edited runs once more.
ALTER TABLE turn ADD COLUMN first_n integer NOT NULL DEFAULT 0;
-- Whether a step changed the world: then its turn is never begun anew.
ALTER TABLE step ADD COLUMN changes integer NOT NULL DEFAULT 0;

-- Rooms are read again from the homeserver: what is kept of them is more now.
DELETE FROM room;
ALTER TABLE room ADD COLUMN is_space integer NOT NULL DEFAULT 0;
ALTER TABLE room ADD COLUMN is_public integer NOT NULL DEFAULT 0;
ALTER TABLE room ADD COLUMN power text;
ALTER TABLE room ADD COLUMN creators text;
ALTER TABLE room ADD COLUMN predecessor text;
ALTER TABLE room ADD COLUMN successor text;
-- By whom it is being read: what was dropped meanwhile is not filled with what is old by then.
ALTER TABLE room ADD COLUMN reading text;
-- Who was sent away does not come back by himself.
ALTER TABLE member ADD COLUMN sent_away integer NOT NULL DEFAULT 0;

CREATE TABLE room_settings (
  room text PRIMARY KEY,
  chosen text NOT NULL,
  set_by text NOT NULL,
  at bigint NOT NULL
);

ALTER TABLE notice ADD COLUMN expires_at bigint;

CREATE TABLE invitation (
  event_id text PRIMARY KEY,
  room text NOT NULL,
  user_id text NOT NULL,
  inviter text NOT NULL,
  server text NOT NULL,
  outcome text NOT NULL,
  at bigint NOT NULL
);
CREATE INDEX invitation_at ON invitation (at);

CREATE TABLE thread_voice (
  thread text NOT NULL,
  user_id text NOT NULL,
  at bigint NOT NULL,
  PRIMARY KEY (thread, user_id)
);
