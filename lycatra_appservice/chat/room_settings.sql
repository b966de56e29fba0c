-- name: hold
-- The update changes nothing, but holds the row until the end of the transaction.
INSERT INTO room_settings (room, chosen, set_by, at) VALUES (:room, '{}', :set_by, lycatra_now())
ON CONFLICT (room) DO UPDATE SET room = excluded.room
RETURNING chosen

-- name: put
UPDATE room_settings SET chosen = :chosen, set_by = :set_by, at = lycatra_now()
WHERE room = :room
