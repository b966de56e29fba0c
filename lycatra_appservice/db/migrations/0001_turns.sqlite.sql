-- compat: 1
CREATE TABLE lane (
  key text PRIMARY KEY,
  kind text NOT NULL,
  ready_at integer,
  owner text,
  lease_until integer,
  fence integer NOT NULL DEFAULT 0
);
CREATE INDEX lane_ready ON lane (kind, ready_at) WHERE owner IS NULL AND ready_at IS NOT NULL;
CREATE INDEX lane_owned ON lane (owner) WHERE owner IS NOT NULL;

CREATE TABLE turn (
  id integer PRIMARY KEY AUTOINCREMENT,
  lane text NOT NULL,
  trigger_id text NOT NULL UNIQUE,
  state text NOT NULL DEFAULT 'queued',
  run_at integer NOT NULL,
  starts integer NOT NULL DEFAULT 0,
  failures integer NOT NULL DEFAULT 0,
  cancel_requested integer NOT NULL DEFAULT 0,
  journal_ver integer,
  input text NOT NULL,
  error text,
  created_at integer NOT NULL,
  finished_at integer
);
CREATE INDEX turn_head ON turn (lane, id) WHERE state IN ('queued', 'running', 'sending');
CREATE INDEX turn_finished ON turn (finished_at) WHERE finished_at IS NOT NULL;

CREATE TABLE step (
  turn_id integer NOT NULL REFERENCES turn ON DELETE CASCADE,
  name text NOT NULL,
  state text NOT NULL,
  args_hash text NOT NULL,
  output text,
  at integer NOT NULL,
  PRIMARY KEY (turn_id, name)
);

CREATE TABLE send (
  turn_id integer NOT NULL REFERENCES turn ON DELETE CASCADE,
  n integer NOT NULL,
  trigger_id text NOT NULL,
  kind text NOT NULL,
  room text NOT NULL,
  sender text NOT NULL,
  target_n integer,
  txn_id text NOT NULL UNIQUE,
  content text NOT NULL,
  mxc text,
  data blob,
  attempt integer NOT NULL DEFAULT 0,
  amended integer NOT NULL DEFAULT 0,
  event_id text,
  sent_at integer,
  dropped text,
  PRIMARY KEY (turn_id, n)
);
CREATE INDEX send_event ON send (event_id) WHERE event_id IS NOT NULL;
CREATE INDEX send_trigger ON send (trigger_id);
CREATE INDEX send_open ON send (turn_id) WHERE sent_at IS NULL AND dropped IS NULL;

CREATE TABLE schedule (
  name text PRIMARY KEY,
  every_ms integer NOT NULL,
  next_at integer NOT NULL
);

CREATE TABLE txn (
  id text PRIMARY KEY,
  at integer NOT NULL
);

CREATE TABLE dead_letter (
  id integer PRIMARY KEY AUTOINCREMENT,
  event_id text,
  reason text NOT NULL,
  raw blob NOT NULL,
  at integer NOT NULL
);

CREATE TABLE to_device (
  id integer PRIMARY KEY AUTOINCREMENT,
  raw text NOT NULL,
  at integer NOT NULL
);

CREATE TABLE replica (
  id text PRIMARY KEY,
  journal_min integer NOT NULL,
  journal_max integer NOT NULL,
  started_at integer NOT NULL,
  seen_at integer NOT NULL,
  ended_at integer
);

CREATE TABLE room (
  id text PRIMARY KEY,
  membership text NOT NULL,
  name text,
  encrypted integer NOT NULL DEFAULT 0,
  state_at integer NOT NULL
);

CREATE TABLE member (
  room text NOT NULL REFERENCES room ON DELETE CASCADE,
  user_id text NOT NULL,
  membership text NOT NULL,
  display_name text,
  PRIMARY KEY (room, user_id)
);

CREATE TABLE ghost (
  user_id text PRIMARY KEY,
  profile_hash text,
  next_batch text
);

CREATE TABLE notice (
  key text PRIMARY KEY,
  holder text NOT NULL,
  at integer NOT NULL
);

CREATE TABLE history (
  id integer PRIMARY KEY AUTOINCREMENT,
  conversation text NOT NULL,
  trigger_id text NOT NULL,
  position integer NOT NULL,
  message text NOT NULL,
  at integer NOT NULL,
  UNIQUE (trigger_id, position)
);
CREATE INDEX history_conversation ON history (conversation, id);
