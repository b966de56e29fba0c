"""One small protocol over Postgres (asyncpg) and SQLite (aiosqlite), and the migrations.

Statements live in .sql files beside the store that owns them, have names, and take `:name`
parameters. JSON is kept as text: the same statements run on both, and an escaped NUL survives.
Times are milliseconds of the database's own clock, by the SQL function `lycatra_now()`.
"""
