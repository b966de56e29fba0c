-- name: take_lane
UPDATE lane SET owner = NULL, lease_until = NULL, fence = fence + 1, ready_at = lycatra_now()
WHERE key = :lane
RETURNING fence

-- name: begin_anew
-- first_n: past every row of its runs so far; a transaction id that was used is never free again.
UPDATE turn SET state = 'queued', lane = :lane, input = :input, run_at = lycatra_now(), starts = 0,
  failures = 0, parks = 0, waiting_for = NULL, journal_ver = NULL, error = NULL, finished_at = NULL,
  first_n = first_n + 1 + (SELECT count(*) FROM send s WHERE s.turn_id = turn.id)
WHERE id = :turn_id
