-- compat: 1
-- Only SQLite needs something here: Postgres asks the triggers of `audit` in every case.
SELECT 1;
