-- name: get_account
SELECT device_id, pickle, shared, signed FROM crypto_account WHERE user_id = :user_id

-- name: any_account
SELECT pickle FROM crypto_account LIMIT 1

-- name: put_account
INSERT INTO crypto_account (user_id, device_id, signing_key, pickle, shared)
VALUES (:user_id, :device_id, :signing_key, :pickle, :shared)
ON CONFLICT (user_id) DO UPDATE SET pickle = excluded.pickle, shared = excluded.shared

-- name: mark_signed
UPDATE crypto_account SET signed = 1 WHERE user_id = :user_id

-- name: all_accounts
SELECT user_id, device_id, shared, signed FROM crypto_account ORDER BY user_id

-- name: has_olm
SELECT 1 AS yes FROM crypto_olm WHERE user_id = :user_id AND sender_key = :sender_key LIMIT 1

-- name: get_olm
-- The one that heard from the other side last comes first: that side has it for sure.
SELECT pickle, created_at, encrypted_at, decrypted_at FROM crypto_olm
WHERE user_id = :user_id AND sender_key = :sender_key
ORDER BY decrypted_at DESC, created_at DESC, session_id LIMIT 20

-- name: put_olm
INSERT INTO crypto_olm (user_id, sender_key, session_id, pickle, created_at, encrypted_at, decrypted_at)
VALUES (:user_id, :sender_key, :session_id, :pickle, :created_at, :encrypted_at, :decrypted_at)
ON CONFLICT (user_id, sender_key, session_id) DO UPDATE SET pickle = excluded.pickle,
  encrypted_at = excluded.encrypted_at, decrypted_at = excluded.decrypted_at

-- name: prune_olm
-- Clients make new ones when in doubt; the few that were used last are enough.
DELETE FROM crypto_olm WHERE user_id = :user_id AND sender_key = :sender_key
  AND session_id NOT IN (
    SELECT session_id FROM crypto_olm WHERE user_id = :user_id AND sender_key = :sender_key
    ORDER BY decrypted_at DESC, created_at DESC, session_id LIMIT 20)

-- name: put_room_key
INSERT INTO crypto_room_key (room, session_id, sender_key, signing_key, chain, pickle, used_at)
VALUES (:room, :session_id, :sender_key, :signing_key, :chain, :pickle, lycatra_now())
ON CONFLICT (room, session_id) DO UPDATE SET sender_key = excluded.sender_key,
  signing_key = excluded.signing_key, chain = excluded.chain, pickle = excluded.pickle

-- name: get_room_key
SELECT sender_key, signing_key, chain, pickle FROM crypto_room_key
WHERE room = :room AND session_id = :session_id

-- name: use_room_key
UPDATE crypto_room_key SET used_at = lycatra_now()
WHERE room = :room AND session_id = :session_id AND used_at < lycatra_now() - 3600000

-- name: put_place
INSERT INTO crypto_place (session_id, place, event_id, sent_at, at)
VALUES (:session_id, :place, :event_id, :sent_at, lycatra_now())
ON CONFLICT (session_id, place) DO NOTHING

-- name: get_place
SELECT event_id, sent_at FROM crypto_place WHERE session_id = :session_id AND place = :place

-- name: put_outbound
INSERT INTO crypto_outbound (user_id, room, session_id, pickle, max_age_ms, max_messages, messages,
  created_at, used_at, members)
VALUES (:user_id, :room, :session_id, :pickle, :max_age_ms, :max_messages, :messages,
  :created_at, :used_at, :members)
ON CONFLICT (user_id, room) DO UPDATE SET session_id = excluded.session_id,
  pickle = excluded.pickle, max_age_ms = excluded.max_age_ms,
  max_messages = excluded.max_messages, messages = excluded.messages,
  created_at = excluded.created_at, used_at = excluded.used_at, members = excluded.members

-- name: step_outbound
UPDATE crypto_outbound SET pickle = :pickle, messages = :messages, used_at = :used_at
WHERE user_id = :user_id AND room = :room AND session_id = :session_id
RETURNING session_id

-- name: drop_outbound
DELETE FROM crypto_outbound WHERE user_id = :user_id AND room = :room

-- name: drop_outbound_of_person
-- Of all of us, in every room where this person is.
DELETE FROM crypto_outbound WHERE room IN (
  SELECT room FROM member WHERE user_id = :person AND membership IN ('join', 'invite'))

-- name: get_devices
SELECT device_id, identity_key, signing_key, name FROM crypto_device
WHERE user_id = :user_id ORDER BY device_id

-- name: get_device
SELECT device_id, identity_key, signing_key, name FROM crypto_device
WHERE user_id = :user_id AND device_id = :device_id

-- name: find_device
SELECT device_id, identity_key, signing_key, name FROM crypto_device
WHERE user_id = :user_id AND identity_key = :identity_key LIMIT 1

-- name: drop_devices
DELETE FROM crypto_device WHERE user_id = :user_id

-- name: put_device
INSERT INTO crypto_device (user_id, device_id, identity_key, signing_key, name)
VALUES (:user_id, :device_id, :identity_key, :signing_key, :name)
ON CONFLICT (user_id, device_id) DO NOTHING

-- name: track
INSERT INTO crypto_person (user_id) VALUES (:user_id) ON CONFLICT (user_id) DO NOTHING

-- name: get_person
SELECT wanted, known FROM crypto_person WHERE user_id = :user_id

-- name: mark_changed
-- A replica that has no keys can do it, too.
UPDATE crypto_person SET wanted = wanted + 1 WHERE user_id = :user_id

-- name: mark_all_changed
UPDATE crypto_person SET wanted = wanted + 1

-- name: mark_known
UPDATE crypto_person SET known = :version WHERE user_id = :user_id AND known < :version

-- name: present
SELECT user_id FROM member WHERE room = :room AND membership IN ('join', 'invite')
ORDER BY user_id

-- name: encryption
SELECT encrypted, encryption FROM room WHERE id = :room AND membership = 'join'

-- name: count_keys
SELECT (SELECT count(*) FROM crypto_room_key) AS room_keys,
  (SELECT count(*) FROM crypto_outbound) AS outbound,
  (SELECT count(*) FROM crypto_olm) AS olm

-- name: forget_room_keys
DELETE FROM crypto_room_key WHERE used_at < lycatra_now() - :keep_ms

-- name: forget_places
DELETE FROM crypto_place WHERE at < lycatra_now() - :keep_ms

-- name: forget_outbound
DELETE FROM crypto_outbound WHERE used_at < lycatra_now() - :keep_ms

-- name: get_published
SELECT device_id, signing_key, signed FROM crypto_account
WHERE user_id = :user_id AND shared = 1

-- name: get_next_batch
SELECT next_batch FROM crypto_account WHERE user_id = :user_id

-- name: put_next_batch
UPDATE crypto_account SET next_batch = :next_batch WHERE user_id = :user_id
