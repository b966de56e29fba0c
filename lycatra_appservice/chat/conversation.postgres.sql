-- name: append
-- Only for the run of the turn that counts: who was overtaken by other words adds nothing, and
-- neither does who comes after the turn was stopped or has ended. FOR SHARE: whoever changes the words
-- waits until this is committed, and then erases it.
INSERT INTO history (conversation, room, trigger_id, position, message, at, rests_on, only_for, went_on_from)
SELECT CAST(:conversation AS text), CAST(:room AS text), t.trigger_id, CAST(:position AS integer), CAST(:message AS text), lycatra_now(),
  CAST(:rests_on AS text), CAST(:only_for AS text), CAST(:went_on_from AS text)
FROM turn t WHERE t.trigger_id = :trigger_id AND t.state = 'running' AND t.cancel_requested = 0
  AND t.first_n = :run
FOR SHARE
ON CONFLICT (trigger_id, position) DO NOTHING
