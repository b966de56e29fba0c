"""How fast does a worker get through a backlog of turns that do nothing?"""

import time
from collections import Counter
from collections.abc import Sequence
from typing import Final

import asyncpg

from benchmarks.lane_queue import LaneQueue
from benchmarks.measuring import Figure, at_least, interleave, ratios, require
from benchmarks.question import Bench, Question
from benchmarks.replicas import NoOp, opened_replica, until_ended
from lycatra_appservice.model import LaneKind
from lycatra_appservice.turns.worker import SLOTS

_ROUNDS: Final = 7
_LONGEST_SECONDS: Final = 45
_ROOMS: Final = 600
_TURNS_A_ROOM: Final = 5
_TURNS: Final = _ROOMS * _TURNS_A_ROOM
_POOL_SIZE: Final = 8  # as ours

# In the order in which a burst comes: every room's first message, then every room's second.
_TURNS_OF_A_BURST: Final = """
INSERT INTO turn (lane, trigger_id, run_at, created_at, input)
SELECT '!room' || room || '|ask', '$' || n || '.' || room, lycatra_now(), lycatra_now(), '{}'
FROM generate_series(1, CAST($1 AS integer)) AS n, generate_series(1, CAST($2 AS integer)) AS room
ORDER BY n, room"""
_LANES_OF_A_BURST: Final = """
INSERT INTO lane (key, kind, ready_at) SELECT DISTINCT lane, 'ask', lycatra_now() FROM turn"""


async def measure(bench: Bench) -> Sequence[Figure]:
    """Drain the same backlog with our worker and with the bare queue, in turns."""
    speeds = await interleave(
        _ROUNDS,
        {"worker": lambda: _by_worker(bench), "queue": lambda: _by_queue(bench)},
        _LONGEST_SECONDS,
    )
    return [
        Figure(
            name="drain",
            unit="ratio",
            rounds=ratios(speeds["worker"], speeds["queue"]),
            goal=at_least(0.65),
            raw={f"{name}, turns/s": rounds for name, rounds in speeds.items()},
        )
    ]


async def _by_worker(bench: Bench) -> float:
    handler = NoOp()
    async with bench.postgres.fresh_database() as dsn, opened_replica(dsn, handler) as replica:
        await _fill(dsn)
        began = time.perf_counter()
        await replica.start()
        await until_ended(replica, _TURNS)
        speed = _TURNS / (time.perf_counter() - began)
        outcomes = Counter(replica.figures.outcomes)
        require(outcomes == {"done": _TURNS}, f"the worker's turns ended as {dict(outcomes)}")
        await _check(dsn, [trigger for trigger, _ in handler.runs])
    return speed


async def _by_queue(bench: Bench) -> float:
    order: list[str] = []

    async def handle(turn: asyncpg.Record) -> None:
        order.append(turn["trigger_id"])

    async with bench.postgres.fresh_database() as dsn:
        async with opened_replica(dsn, NoOp()):
            pass  # migrates
        await _fill(dsn)
        async with asyncpg.create_pool(dsn, min_size=0, max_size=_POOL_SIZE) as pool:
            began = time.perf_counter()
            await LaneQueue(pool, SLOTS[LaneKind.ASK], handle).drain()
            speed = _TURNS / (time.perf_counter() - began)
        await _check(dsn, order)
    return speed


async def _fill(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(_TURNS_OF_A_BURST, _TURNS_A_ROOM, _ROOMS)
        await connection.execute(_LANES_OF_A_BURST)
        # As autovacuum would; whether it comes in time must not decide who gets the better plan.
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()


async def _check(dsn: str, order: Sequence[str]) -> None:
    """Raise WrongWorkError unless every turn ran once, in its room's order, and is closed."""
    require(
        len(order) == len(set(order)) == _TURNS, f"{len(order)} runs of {len(set(order))} turns"
    )
    rooms: dict[str, list[str]] = {}
    for trigger in order:
        number, _, room = trigger.partition(".")
        rooms.setdefault(room, []).append(number)
    in_order = all(numbers == sorted(numbers) for numbers in rooms.values())
    require(in_order, "a room's turns ran out of order")
    connection = await asyncpg.connect(dsn)
    try:
        left = await connection.fetchval("SELECT count(*) FROM turn WHERE state <> 'done'")
    finally:
        await connection.close()
    require(left == 0, f"{left} turns were not closed")


QUESTION = Question(name="drain", figures=("drain",), measure=measure)
