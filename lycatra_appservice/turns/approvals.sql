-- name: insert_approval
INSERT INTO approval (code, face, turn_id, trigger_id, run, step_name, first_n, sends, card_n,
  requester, room, card_room, tool, target, args, args_hash, shown, rule, created_at, expires_at)
VALUES (:code, :face, :turn_id, :trigger_id, :run, :step_name, :first_n, :sends, :card_n,
  :requester, :room, :card_room, :tool, :target, :args, :args_hash, :shown, :rule,
  lycatra_now(), lycatra_now() + :lifetime_ms)
ON CONFLICT (code) DO NOTHING
RETURNING id

-- name: park_turn
-- Waiting is no failure, and who comes back from it has not started in vain.
UPDATE turn SET state = 'waiting', waiting_for = :approval, parks = parks + 1, starts = 0,
  failures = 0, error = NULL
WHERE id = :turn_id AND state = 'running' AND cancel_requested = 0
RETURNING id

-- name: wake_turn
UPDATE turn SET state = 'queued', waiting_for = NULL, run_at = lycatra_now()
WHERE id = :turn_id AND state = 'waiting' AND waiting_for = :approval
RETURNING lane

-- name: get
SELECT a.*, s.event_id AS card, s.sender AS card_sender, a.expires_at <= lycatra_now() AS is_due
FROM approval a LEFT JOIN send s ON s.turn_id = a.turn_id AND s.n = a.card_n
WHERE a.id = :approval

-- name: of_turn
SELECT a.*, s.event_id AS card, s.sender AS card_sender, a.expires_at <= lycatra_now() AS is_due
FROM approval a LEFT JOIN send s ON s.turn_id = a.turn_id AND s.n = a.card_n
WHERE a.turn_id = :turn_id AND a.run = :run ORDER BY a.id

-- name: by_code
SELECT a.*, s.event_id AS card, s.sender AS card_sender, a.expires_at <= lycatra_now() AS is_due
FROM approval a LEFT JOIN send s ON s.turn_id = a.turn_id AND s.n = a.card_n
WHERE a.code = :code

-- name: by_card
SELECT a.*, s.event_id AS card, s.sender AS card_sender, a.expires_at <= lycatra_now() AS is_due
FROM send s JOIN approval a ON a.turn_id = s.turn_id AND a.card_n = s.n
WHERE s.event_id = :event_id

-- name: begun_of_trigger
-- A call that was let through and has not ended.
SELECT a.*, s.event_id AS card, s.sender AS card_sender, a.expires_at <= lycatra_now() AS is_due
FROM approval a LEFT JOIN send s ON s.turn_id = a.turn_id AND s.n = a.card_n
WHERE a.trigger_id = :trigger_id AND a.state = 'used' AND a.outcome IS NULL

-- name: latest_of_trigger
SELECT a.*, s.event_id AS card, s.sender AS card_sender, a.expires_at <= lycatra_now() AS is_due
FROM approval a LEFT JOIN send s ON s.turn_id = a.turn_id AND s.n = a.card_n
WHERE a.trigger_id = :trigger_id ORDER BY a.id DESC LIMIT 1

-- name: open_in_room
SELECT a.*, s.event_id AS card, s.sender AS card_sender, a.expires_at <= lycatra_now() AS is_due
FROM approval a LEFT JOIN send s ON s.turn_id = a.turn_id AND s.n = a.card_n
WHERE a.state = 'open' AND (a.card_room = :room OR a.room = :room) ORDER BY a.id

-- name: card_state
-- Whether the card is out, or never will be: neither, as long as its row is open.
SELECT s.event_id, s.dropped FROM approval a
JOIN send s ON s.turn_id = a.turn_id AND s.n = a.card_n
WHERE a.id = :approval

-- name: given_up_card
-- A card that was dropped with its turn, perhaps while it was being sent.
SELECT s.*, NULL AS target, NULL AS target_mxc, NULL AS target_file FROM approval a
JOIN send s ON s.turn_id = a.turn_id AND s.n = a.card_n
WHERE a.id = :approval AND s.dropped IN ('cancelled', 'asked anew')

-- name: due
SELECT id FROM approval WHERE state = 'open' AND expires_at <= lycatra_now()
ORDER BY expires_at LIMIT 100

-- name: superseded
-- The same was to be changed by another request while it was open: the older ones.
SELECT DISTINCT o.id, n.id AS superseded_by FROM approval o JOIN approval n
  ON n.tool = o.tool AND n.target = o.target AND n.card_room = o.card_room AND n.id > o.id
WHERE o.state = 'open' AND n.state = 'open'
  AND (CAST(:newer AS bigint) IS NULL OR n.id = CAST(:newer AS bigint))
ORDER BY o.id, n.id DESC

-- name: open_ids_in_room
SELECT id FROM approval WHERE state = 'open' AND (card_room = :room OR room = :room) ORDER BY id

-- name: open_tools
SELECT id, tool FROM approval WHERE state = 'open' ORDER BY id

-- name: end
-- The one statement that ends a wait; of all who come at once it lets one through.
UPDATE approval SET state = :state, why = :why, decided_at = lycatra_now(), decided_by = :by,
  superseded_by = :superseded_by
WHERE id = :approval AND state = 'open' AND CASE CAST(:state AS text)
  WHEN 'expired' THEN expires_at <= lycatra_now()
  WHEN 'withdrawn' THEN true
  ELSE expires_at > lycatra_now() END
RETURNING turn_id

-- name: withdraw_of_turn
UPDATE approval SET state = 'withdrawn', why = :why, decided_at = lycatra_now()
WHERE turn_id = :turn_id AND state IN ('open', 'approved')
RETURNING id

-- name: withdraw_unshown
-- Nobody can vote on a card that will never be in its room.
UPDATE approval SET state = 'withdrawn', why = :why, decided_at = lycatra_now()
WHERE turn_id = :turn_id AND state = 'open' AND EXISTS (
  SELECT 1 FROM send s WHERE s.turn_id = approval.turn_id AND s.n = approval.card_n
    AND s.dropped IS NOT NULL)
RETURNING id

-- name: use
UPDATE approval SET state = 'used'
WHERE id = :approval AND state = 'approved' AND args_hash = :args_hash
RETURNING id

-- name: conclude
UPDATE approval SET outcome = :outcome WHERE id = :approval AND state = 'used'
RETURNING id

-- name: abandoned
-- Of turns that have ended: calls that had begun and have no end, and those that never began.
SELECT a.id, a.state FROM approval a JOIN turn t ON t.id = a.turn_id
WHERE a.state IN ('approved', 'used') AND a.outcome IS NULL AND t.finished_at IS NOT NULL LIMIT 100

-- name: give_up
UPDATE approval SET state = 'withdrawn', why = :why, decided_at = lycatra_now()
WHERE id = :approval AND state = 'approved'
RETURNING id

-- name: of_card_row
SELECT id, state, card_room FROM approval WHERE turn_id = :turn_id AND card_n = :n

-- name: is_on_its_way
-- Whether a card of this room may be out without our knowing its event id yet.
SELECT 1 AS yes FROM approval a JOIN send s ON s.turn_id = a.turn_id AND s.n = a.card_n
WHERE a.card_room = :room AND a.state = 'open' AND s.event_id IS NULL AND s.dropped IS NULL
LIMIT 1

-- name: insert_vote
INSERT INTO vote (event_id, target, approval, voter, yes, at)
VALUES (:event_id, :target, :approval, :voter, :yes, lycatra_now())
ON CONFLICT (event_id) DO NOTHING
RETURNING event_id

-- name: withdraw_vote
UPDATE vote SET withdrawn = 1 WHERE event_id = :event_id RETURNING approval

-- name: live_votes
SELECT event_id, voter, yes FROM vote WHERE approval = :approval AND withdrawn = 0 ORDER BY at, event_id

-- name: join_early_votes
UPDATE vote SET approval = :approval WHERE target = :target AND approval IS NULL
RETURNING event_id

-- name: unmatched_votes
SELECT v.event_id, v.target, a.id AS approval, a.card_room
FROM vote v JOIN send s ON s.event_id = v.target
JOIN approval a ON a.turn_id = s.turn_id AND a.card_n = s.n
WHERE v.approval IS NULL

-- name: forget_unmatched_votes
DELETE FROM vote WHERE approval IS NULL AND at < lycatra_now() - :keep_ms
