-- name: ingest
-- One round trip and one commit for a whole push. ORDER BY n: turn ids follow the order of the
-- events; GROUP BY: one lane may occur twice; ORDER BY lane: the lock order of every replica,
-- by bytes, because that is how Python sorts, too.
WITH mark AS (
  INSERT INTO txn (id, at) SELECT CAST(:txn AS text), lycatra_now() WHERE CAST(:txn AS text) IS NOT NULL
  ON CONFLICT (id) DO UPDATE SET at = excluded.at
), e AS (
  SELECT * FROM unnest(CAST(:lanes AS text[]), CAST(:kinds AS text[]), CAST(:triggers AS text[]),
                       CAST(:inputs AS text[])) WITH ORDINALITY AS e(lane, kind, trigger_id, input, n)
), new AS (
  INSERT INTO turn (lane, trigger_id, run_at, created_at, input)
  SELECT lane, trigger_id, lycatra_now(), lycatra_now(), input FROM e ORDER BY n
  ON CONFLICT (trigger_id) DO NOTHING RETURNING lane
), woken AS (
  INSERT INTO lane (key, kind, ready_at)
  SELECT lane, min(kind), lycatra_now() FROM e WHERE lane IN (SELECT lane FROM new)
  GROUP BY lane ORDER BY lane COLLATE "C"
  ON CONFLICT (key) DO UPDATE SET ready_at = excluded.ready_at
  WHERE lane.ready_at IS NULL OR lane.ready_at > excluded.ready_at
)
SELECT count(*) AS stored, CASE WHEN count(*) > 0 THEN pg_notify('lycatra_turn', '') END FROM new

-- name: ingest_one
-- The same for the usual push of one event, without what only several need.
WITH mark AS (
  INSERT INTO txn (id, at) SELECT CAST(:txn AS text), lycatra_now() WHERE CAST(:txn AS text) IS NOT NULL
  ON CONFLICT (id) DO UPDATE SET at = excluded.at
), new AS (
  INSERT INTO turn (lane, trigger_id, run_at, created_at, input)
  VALUES (:lane, :trigger_id, lycatra_now(), lycatra_now(), :input)
  ON CONFLICT (trigger_id) DO NOTHING RETURNING lane
), woken AS (
  INSERT INTO lane (key, kind, ready_at) SELECT lane, CAST(:kind AS text), lycatra_now() FROM new
  ON CONFLICT (key) DO UPDATE SET ready_at = excluded.ready_at
  WHERE lane.ready_at IS NULL OR lane.ready_at > excluded.ready_at
)
SELECT count(*) AS stored, CASE WHEN count(*) > 0 THEN pg_notify('lycatra_turn', '') END FROM new

-- name: claim
-- ARRAY: a plain IN may be planned as a loop that asks again, and so passes its own LIMIT.
UPDATE lane SET owner = :owner, fence = fence + 1, lease_until = lycatra_now() + :lease_ms
WHERE key = ANY(ARRAY(
  SELECT key FROM lane WHERE kind = :kind AND owner IS NULL AND ready_at <= lycatra_now()
  ORDER BY ready_at LIMIT CAST(:free AS integer) FOR UPDATE SKIP LOCKED))
RETURNING key, fence

-- name: take_heads
UPDATE turn SET state = CASE WHEN state = 'queued' THEN 'running' ELSE state END,
  starts = starts + CASE WHEN state IN ('sending', 'waiting') THEN 0 ELSE 1 END
WHERE id IN (
    SELECT (SELECT t.id FROM turn t
            WHERE t.lane = l.key AND t.state IN ('queued', 'running', 'waiting', 'sending')
              AND (t.state <> 'waiting' OR EXISTS (
                SELECT 1 FROM send s WHERE s.turn_id = t.id AND s.sent_at IS NULL AND s.dropped IS NULL))
            ORDER BY t.id LIMIT 1)
    FROM lane l WHERE l.key = ANY(CAST(:lanes AS text[])) AND l.owner = :owner)
  AND run_at <= lycatra_now()
  AND (state IN ('sending', 'waiting') OR journal_ver IS NULL OR journal_ver BETWEEN :journal_min AND :journal_max)
RETURNING *, lycatra_now() - created_at AS waited_ms

-- name: lock_lane
SELECT fence FROM lane WHERE key = :lane AND owner = :owner AND fence = :fence FOR UPDATE

-- name: lock_any_lane
SELECT key FROM lane WHERE key = :lane FOR UPDATE

-- name: journal
-- No row back: the lane is lost. FOR SHARE keeps it ours until this is committed.
WITH held AS (SELECT 1 FROM lane WHERE key = :lane AND owner = :owner AND fence = :fence FOR SHARE),
versioned AS (
  UPDATE turn SET journal_ver = :journal_ver WHERE id = :turn_id AND journal_ver IS NULL AND EXISTS (SELECT 1 FROM held))
INSERT INTO step (turn_id, name, state, args_hash, output, changes, at)
SELECT CAST(:turn_id AS bigint), CAST(:name AS text), CAST(:state AS text), CAST(:args_hash AS text),
       CAST(:output AS text), CAST(:changes AS integer), lycatra_now() FROM held
ON CONFLICT (turn_id, name) DO UPDATE SET state = excluded.state, output = excluded.output, at = excluded.at
RETURNING name

-- name: head_of_lane
SELECT t.id, t.state, t.journal_ver, t.run_at - lycatra_now() AS due_in_ms FROM turn t
WHERE t.lane = :lane AND t.state IN ('queued', 'running', 'waiting', 'sending')
  AND (t.state <> 'waiting' OR EXISTS (
    SELECT 1 FROM send s WHERE s.turn_id = t.id AND s.sent_at IS NULL AND s.dropped IS NULL))
ORDER BY t.id LIMIT 1

-- name: beat
-- Locked in the order of the inbox first: an UPDATE alone takes the rows as it finds them.
WITH held AS MATERIALIZED (
  SELECT key FROM lane WHERE owner = :owner AND key = ANY(CAST(:lanes AS text[]))
  ORDER BY key COLLATE "C" FOR UPDATE)
UPDATE lane SET lease_until = lycatra_now() + :lease_ms FROM held WHERE lane.key = held.key
RETURNING lane.key, lane.fence

-- name: cancelled
SELECT id FROM turn
WHERE lane = ANY(CAST(:lanes AS text[])) AND state IN ('running', 'sending') AND cancel_requested = 1

-- name: fences
SELECT key, fence FROM lane WHERE key = ANY(CAST(:lanes AS text[]))

-- name: free_dead
-- Dead: the lease ended; or its last beat is two seconds old and its listening connection is gone,
-- unless the server itself has only just started, when every connection is gone.
UPDATE lane SET owner = NULL, lease_until = NULL, fence = fence + 1, ready_at = lycatra_now()
WHERE key IN (
  SELECT key FROM lane WHERE owner IS NOT NULL AND (
    lease_until < lycatra_now()
    OR (lease_until < lycatra_now() + :lease_ms - 2000
        AND pg_postmaster_start_time() < statement_timestamp() - make_interval(secs => :lease_ms / 1000.0)
        AND NOT EXISTS (SELECT 1 FROM pg_stat_activity a WHERE a.application_name = lane.owner)))
  ORDER BY key FOR UPDATE SKIP LOCKED)
RETURNING key, kind

-- name: due_schedules
SELECT name, next_at FROM schedule WHERE next_at <= lycatra_now() ORDER BY name FOR UPDATE SKIP LOCKED

-- name: forget_idle_lanes
-- A lane is kept as long as any turn of it: a new row would count its fence from 0 again.
-- SKIP LOCKED: who has locked it is about to make it ready.
DELETE FROM lane WHERE key = ANY(ARRAY(
  SELECT l.key FROM lane l WHERE l.owner IS NULL AND l.ready_at IS NULL
    AND NOT EXISTS (SELECT 1 FROM turn t WHERE t.lane = l.key)
  LIMIT 1000 FOR UPDATE OF l SKIP LOCKED))
