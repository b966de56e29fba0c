-- name: append
-- One statement for a whole batch. Arguments of a question that was taken back, or that got
-- other words, are not kept. FOR SHARE: whoever takes it back waits until this is committed,
-- and then blanks it; or was there before, and is seen.
WITH e AS (
  SELECT * FROM json_to_recordset(CAST(:rows AS json)) AS e(
    n integer, ago_ms bigint, call text, person text, face text, room text, trigger_id text,
    run integer, tool text, decision text, outcome text, took_ms bigint, arguments text,
    arguments_hash text, approval text, approvers text, reference text)
), held AS (
  SELECT t.trigger_id, t.first_n, t.input FROM turn t
  WHERE t.trigger_id IN (SELECT e.trigger_id FROM e WHERE e.arguments IS NOT NULL)
  ORDER BY t.id FOR SHARE
)
INSERT INTO audit (at, call, person, face, room, trigger_id, tool, decision, outcome, took_ms,
  arguments, arguments_hash, approval, approvers, reference)
SELECT lycatra_now() - e.ago_ms, e.call, e.person, e.face, e.room, e.trigger_id, e.tool,
  e.decision, e.outcome, e.took_ms,
  CASE WHEN h.input = '{}' OR h.first_n <> e.run THEN NULL ELSE e.arguments END,
  CASE WHEN h.input = '{}' OR h.first_n <> e.run THEN NULL ELSE e.arguments_hash END,
  e.approval, e.approvers, e.reference
FROM e LEFT JOIN held h ON h.trigger_id = e.trigger_id ORDER BY e.n
ON CONFLICT (call, decision, outcome) DO NOTHING
