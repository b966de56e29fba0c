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
