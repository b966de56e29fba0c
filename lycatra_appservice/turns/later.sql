-- name: insert_later
INSERT INTO turn (lane, trigger_id, run_at, created_at, input)
VALUES (:lane, :trigger_id, lycatra_now() + :delay_ms, lycatra_now(), :input)
ON CONFLICT (trigger_id) DO NOTHING
RETURNING id

-- name: ready_lane_later
INSERT INTO lane (key, kind, ready_at) VALUES (:key, :kind, lycatra_now() + :delay_ms)
ON CONFLICT (key) DO UPDATE SET ready_at = excluded.ready_at
WHERE lane.ready_at IS NULL OR lane.ready_at > excluded.ready_at
