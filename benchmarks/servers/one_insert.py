"""The baseline of durable ingest: a bare aiohttp handler that does one single-row INSERT a push.

It reads the JSON, as any handler must, and stores the first event's text: at one event a push as
much as we store, at a hundred less.
"""

import asyncio
import json

import asyncpg
from aiohttp import web

from benchmarks.servers.serving import MAX_BODY_BYTES, TAKEN, TRANSACTIONS, arguments, serve

_POOL_SIZE = 8  # as ours


class OneInsert:
    """Both handlers."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool

    async def push(self, request: web.Request) -> web.Response:
        """Store a row, then 200."""
        body = await request.json()
        await self._pool.execute(
            "INSERT INTO push (id, event) VALUES ($1, $2)",
            request.match_info["txn"],
            json.dumps(body["events"][0]),
        )
        return web.json_response({})

    async def taken(self, _: web.Request) -> web.Response:
        """Count the pushes that were stored."""
        return web.json_response(await self._pool.fetchval("SELECT count(*) FROM push"))


async def _main(port: int, dsn: str) -> None:
    async with asyncpg.create_pool(dsn, min_size=0, max_size=_POOL_SIZE) as pool:
        await pool.execute("CREATE TABLE IF NOT EXISTS push (id text PRIMARY KEY, event text)")
        handlers = OneInsert(pool)
        application = web.Application(client_max_size=MAX_BODY_BYTES)
        application.add_routes([web.put(TRANSACTIONS, handlers.push)])
        application.add_routes([web.get(TAKEN, handlers.taken)])
        await serve(application, port)


if __name__ == "__main__":
    asyncio.run(_main(*arguments()))
