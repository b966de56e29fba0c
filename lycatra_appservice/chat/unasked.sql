-- name: was_said
SELECT 1 AS yes FROM notice WHERE key = :key

-- name: say_once
-- Returns who holds it, so that the first one hears yes again after a crash.
INSERT INTO notice (key, holder, at) VALUES (:key, :holder, lycatra_now())
ON CONFLICT (key) DO UPDATE SET holder = notice.holder RETURNING holder

-- name: take_hour
-- Nobody gets it while it is another's; who has it hears yes again, and for no longer than before.
INSERT INTO notice (key, holder, at, expires_at)
VALUES (:key, :holder, lycatra_now(), lycatra_now() + :lasting_ms)
ON CONFLICT (key) DO UPDATE SET holder = excluded.holder, at = excluded.at,
  expires_at = CASE WHEN notice.holder = excluded.holder THEN notice.expires_at
                    ELSE excluded.expires_at END
WHERE notice.holder = excluded.holder OR notice.expires_at <= lycatra_now()
RETURNING holder

-- name: take_hour_anyway
INSERT INTO notice (key, holder, at, expires_at)
VALUES (:key, :holder, lycatra_now(), lycatra_now() + :lasting_ms)
ON CONFLICT (key) DO UPDATE SET holder = excluded.holder, at = excluded.at,
  expires_at = CASE WHEN notice.holder = excluded.holder THEN notice.expires_at
                    ELSE excluded.expires_at END
RETURNING holder

-- name: forget_expired
DELETE FROM notice WHERE expires_at <= lycatra_now()

-- name: forget
DELETE FROM notice WHERE key = :key

-- name: note_for_admin
-- Nobody holds it until an admin is told; what was told once is not told again.
INSERT INTO notice (key, holder, at) VALUES (:key, '', lycatra_now()) ON CONFLICT DO NOTHING

-- name: tell_admin
-- One for each turn, the same whenever it is run; the one that it was given before comes first.
UPDATE notice SET holder = :holder
WHERE holder IN ('', :holder) AND key = (
  SELECT key FROM notice WHERE key LIKE 'admin|%' AND holder IN ('', :holder)
  ORDER BY CASE WHEN holder = '' THEN 1 ELSE 0 END, at, key LIMIT 1)
RETURNING key
