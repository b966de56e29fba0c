"""The baseline of draining: the least queue with lanes on our tables that runs turns in order.

No fences, journal, leases, retries or cancelling; nothing that is not needed while nobody crashes
and nothing new comes.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import asyncpg

_CLAIM: Final = """
UPDATE lane SET owner = 'bare' WHERE key = ANY(ARRAY(
  SELECT key FROM lane WHERE kind = 'ask' AND owner IS NULL AND ready_at IS NOT NULL
  ORDER BY ready_at LIMIT $1 FOR UPDATE SKIP LOCKED))
RETURNING key"""
# Not in one statement with the claim: it could see a lane freed but its last turn not yet closed.
_HEADS: Final = """
UPDATE turn SET state = 'running' WHERE id IN (
  SELECT (SELECT t.id FROM turn t
          WHERE t.lane = l.key AND t.state IN ('queued', 'running', 'sending')
          ORDER BY t.id LIMIT 1)
  FROM unnest($1::text[]) AS l(key))
RETURNING id, lane, trigger_id, input"""
_CLOSE: Final = """
WITH closed AS (UPDATE turn SET state = 'done', finished_at = lycatra_now() WHERE id = $1)
UPDATE lane SET owner = NULL, ready_at = (
  SELECT t.run_at FROM turn t
  WHERE t.lane = $2 AND t.state IN ('queued', 'running', 'sending') AND t.id > $1
  ORDER BY t.id LIMIT 1)
WHERE key = $2"""

Handle = Callable[[asyncpg.Record], Awaitable[None]]


class LaneQueue:
    """Drains what is there and ends when nothing is left; raises what a turn raises."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", slots: int, handle: Handle) -> None:
        self._pool = pool
        self._free = slots
        self._slots = slots
        self._handle = handle
        self._freed = asyncio.Event()

    async def drain(self) -> None:
        """Run every turn of every lane."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._freed.clear()
                # Before the claim: what ends meanwhile may have freed a lane that it did not see.
                was_idle = self._free == self._slots
                turns = await self._claim() if self._free else []
                self._free -= len(turns)
                for turn in turns:
                    group.create_task(self._run(turn))
                if was_idle and not turns:
                    return
                await self._freed.wait()

    async def _claim(self) -> Sequence[asyncpg.Record]:
        async with self._pool.acquire() as connection:
            lanes = [row["key"] for row in await connection.fetch(_CLAIM, self._free)]
            return await connection.fetch(_HEADS, lanes) if lanes else []

    async def _run(self, turn: asyncpg.Record) -> None:
        await self._handle(turn)
        await self._pool.execute(_CLOSE, turn["id"], turn["lane"])
        self._free += 1
        self._freed.set()
