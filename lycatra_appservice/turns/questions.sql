-- name: put
INSERT INTO question (code, namespace, tool, room, person, asked_by, message, form, until_at)
VALUES (:code, :namespace, :tool, :room, :person, :asked_by, :message, :form,
  lycatra_now() + :patience_ms)

-- name: find
SELECT * FROM question WHERE code = :code AND closed_at IS NULL AND until_at > lycatra_now()

-- name: open_in
SELECT * FROM question WHERE room = :room AND closed_at IS NULL AND answer IS NULL
  AND until_at > lycatra_now() ORDER BY until_at, code

-- name: answer
UPDATE question SET answer = :answer
WHERE code = :code AND person = :person AND answer IS NULL AND closed_at IS NULL
  AND until_at > lycatra_now()
RETURNING code

-- name: answer_of
SELECT answer, closed_at FROM question WHERE code = :code

-- name: close
UPDATE question SET closed_at = lycatra_now(), message = '', form = '{}', answer = NULL
WHERE code = :code

-- name: forget_turn
UPDATE question SET closed_at = lycatra_now(), message = '', form = '{}', answer = NULL
WHERE asked_by = :trigger_id

-- name: tidy
DELETE FROM question WHERE until_at < lycatra_now() - 86400000

-- name: read_list
SELECT tools FROM remote_list WHERE server = :server

-- name: write_list
INSERT INTO remote_list (server, tools, at) VALUES (:server, :tools, lycatra_now())
ON CONFLICT (server) DO UPDATE SET tools = excluded.tools, at = excluded.at
