-- name: append
-- Only for the run of the turn that counts: who was overtaken by other words adds nothing, and
-- neither does who comes after the turn was stopped or has ended.
INSERT INTO history (conversation, room, trigger_id, position, message, at, rests_on, only_for, went_on_from)
SELECT :conversation, :room, t.trigger_id, :position, :message, lycatra_now(), :rests_on, :only_for,
  :went_on_from
FROM turn t WHERE t.trigger_id = :trigger_id AND t.state = 'running' AND t.cancel_requested = 0
  AND t.first_n = :run
ON CONFLICT (trigger_id, position) DO NOTHING
