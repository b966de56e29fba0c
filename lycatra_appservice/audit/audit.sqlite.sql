-- name: append
-- One statement for a whole batch. Arguments of a question that was taken back, or that got
-- other words, are not kept.
INSERT INTO audit (at, call, person, face, room, trigger_id, tool, decision, outcome, took_ms,
  arguments, arguments_hash, approval, approvers, reference)
SELECT lycatra_now() - json_extract(e.value, '$.ago_ms'), json_extract(e.value, '$.call'), json_extract(e.value, '$.person'),
  json_extract(e.value, '$.face'), json_extract(e.value, '$.room'), json_extract(e.value, '$.trigger_id'), json_extract(e.value, '$.tool'),
  json_extract(e.value, '$.decision'), json_extract(e.value, '$.outcome'), json_extract(e.value, '$.took_ms'),
  CASE WHEN t.input = '{}' OR t.first_n <> json_extract(e.value, '$.run') THEN NULL
       ELSE json_extract(e.value, '$.arguments') END,
  CASE WHEN t.input = '{}' OR t.first_n <> json_extract(e.value, '$.run') THEN NULL
       ELSE json_extract(e.value, '$.arguments_hash') END,
  json_extract(e.value, '$.approval'), json_extract(e.value, '$.approvers'), json_extract(e.value, '$.reference')
FROM json_each(:rows) e LEFT JOIN turn t ON t.trigger_id = json_extract(e.value, '$.trigger_id')
WHERE true
ORDER BY json_extract(e.value, '$.n')
ON CONFLICT (call, decision, outcome) DO NOTHING
