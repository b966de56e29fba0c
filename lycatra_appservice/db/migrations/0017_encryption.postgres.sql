-- compat: 1
-- Who may use the keys of encrypted rooms: one replica at a time, by owner and fence.
CREATE TABLE crypto_lease (
  id integer PRIMARY KEY,
  owner text,
  fence bigint NOT NULL DEFAULT 0,
  lease_until bigint
);
INSERT INTO crypto_lease (id) VALUES (1);

-- Our own devices. What is in a column `pickle` is sealed by the secret of the configuration.
CREATE TABLE crypto_account (
  user_id text PRIMARY KEY,
  device_id text NOT NULL,
  signing_key text NOT NULL,
  pickle bytea NOT NULL,
  shared integer NOT NULL DEFAULT 0,
  signed integer NOT NULL DEFAULT 0,
  next_batch text
);

-- Whose devices are followed: `wanted` rises when they change, `known` is what was read last.
CREATE TABLE crypto_person (
  user_id text PRIMARY KEY,
  wanted bigint NOT NULL DEFAULT 0,
  known bigint NOT NULL DEFAULT -1
);
CREATE TABLE crypto_device (
  user_id text NOT NULL,
  device_id text NOT NULL,
  identity_key text NOT NULL,
  signing_key text NOT NULL,
  name text,
  PRIMARY KEY (user_id, device_id)
);
CREATE INDEX crypto_device_key ON crypto_device (user_id, identity_key);

CREATE TABLE crypto_olm (
  user_id text NOT NULL,
  sender_key text NOT NULL,
  session_id text NOT NULL,
  pickle bytea NOT NULL,
  created_at bigint NOT NULL,
  encrypted_at bigint NOT NULL,
  decrypted_at bigint NOT NULL,
  PRIMARY KEY (user_id, sender_key, session_id)
);

-- What opens the messages of others, whichever of us was given it.
CREATE TABLE crypto_room_key (
  room text NOT NULL,
  session_id text NOT NULL,
  sender_key text NOT NULL,
  signing_key text NOT NULL,
  chain text NOT NULL,
  pickle bytea NOT NULL,
  used_at bigint NOT NULL,
  PRIMARY KEY (room, session_id)
);
CREATE INDEX crypto_room_key_used ON crypto_room_key (used_at);
-- Which event had which place in a session: another one in the same place is a replay.
CREATE TABLE crypto_place (
  session_id text NOT NULL,
  place bigint NOT NULL,
  event_id text NOT NULL,
  sent_at bigint NOT NULL,
  at bigint NOT NULL,
  PRIMARY KEY (session_id, place)
);
CREATE INDEX crypto_place_at ON crypto_place (at);

-- What closes our own messages; `members` are those who were given it.
CREATE TABLE crypto_outbound (
  user_id text NOT NULL,
  room text NOT NULL,
  session_id text NOT NULL,
  pickle bytea NOT NULL,
  max_age_ms bigint NOT NULL,
  max_messages bigint NOT NULL,
  messages bigint NOT NULL,
  created_at bigint NOT NULL,
  used_at bigint NOT NULL,
  members text NOT NULL,
  PRIMARY KEY (user_id, room)
);
CREATE INDEX crypto_outbound_room ON crypto_outbound (room);

-- What came and only the owner can read, in order. Without `raw` it is done, and known by its key.
CREATE TABLE crypto_inbox (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind text NOT NULL,
  key text NOT NULL UNIQUE,
  raw text,
  room text,
  session_id text,
  state text NOT NULL,
  told integer NOT NULL DEFAULT 0,
  at bigint NOT NULL
);
CREATE INDEX crypto_inbox_new ON crypto_inbox (id) WHERE state = 'new';
CREATE INDEX crypto_inbox_waiting ON crypto_inbox (session_id) WHERE state = 'waiting';
CREATE INDEX crypto_inbox_at ON crypto_inbox (at);

-- What is to be sent and only the owner can encrypt; `content` goes when `sealed` comes.
CREATE TABLE crypto_seal (
  txn_id text PRIMARY KEY,
  user_id text NOT NULL,
  room text NOT NULL,
  type text NOT NULL,
  digest text NOT NULL,
  content text,
  sealed text,
  problem text,
  at bigint NOT NULL
);
CREATE INDEX crypto_seal_open ON crypto_seal (at) WHERE sealed IS NULL AND problem IS NULL;
CREATE INDEX crypto_seal_at ON crypto_seal (at);

-- Rooms are read again from the homeserver: how they are encrypted is kept now.
DELETE FROM room;
ALTER TABLE room ADD COLUMN encryption text;
