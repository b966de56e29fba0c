-- compat: 1
-- Kept free for a migration of another branch, which takes the place of this file.
SELECT 1;
