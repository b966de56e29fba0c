"""How long does a turn wait for its handler on an idle replica, from the call that stores it?

Beside procrastinate, which claims jobs from Postgres by the same hint (NOTIFY).
"""

import asyncio
import itertools
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, Final

from benchmarks.measuring import (
    CannotMeasureError,
    Figure,
    at_most,
    interleave,
    percentile,
    require,
)
from benchmarks.question import Bench, Question
from benchmarks.replicas import NoOp, opened_replica, until_ended
from lycatra_appservice.model import LaneKind
from lycatra_appservice.turns.records import Trigger

_ROUNDS: Final = 4
_WARM_UP: Final = 10  # connections are opened, statements prepared
_SAMPLES: Final = 100  # a round
_PAUSE_SECONDS: Final = 0.05  # on average, so 20 a second
_ROOMS: Final = 25
_HEARD_SECONDS: Final = 5

Enqueue = Callable[[str], Awaitable[None]]


async def measure(bench: Bench) -> Sequence[Figure]:
    """Let both work through the same trickle, in turns; p50 and p99 of each round."""
    percentiles: dict[str, list[float]] = {}

    def noting(
        name: str, waits: Callable[[], Awaitable[Sequence[float]]]
    ) -> Callable[[], Awaitable[float]]:
        async def note() -> float:
            samples = await waits()
            for key, share in (("p50", 0.50), ("p99", 0.99)):
                percentiles.setdefault(f"{name}_{key}", []).append(percentile(samples, share))
            return percentile(samples, 0.50)

        return note

    procrastinate = _procrastinate()
    await interleave(
        _ROUNDS,
        {
            "ours": noting("ours", lambda: _our_waits(bench)),
            "procrastinate": noting("procrastinate", lambda: _their_waits(bench, procrastinate)),
        },
    )
    return _figures(percentiles)


def _figures(percentiles: Mapping[str, Sequence[float]]) -> Sequence[Figure]:
    kinds = (
        ("claim_to_start_p50", "ours_p50", at_most(5)),
        ("claim_to_start_p99", "ours_p99", at_most(20)),
        ("claim_to_start_procrastinate_p50", "procrastinate_p50", None),
        ("claim_to_start_procrastinate_p99", "procrastinate_p99", None),
    )
    return [
        Figure(name=name, unit="ms", rounds=percentiles[key], goal=goal)
        for name, key, goal in kinds
    ]


async def _our_waits(bench: Bench) -> Sequence[float]:
    handler = NoOp()
    async with bench.postgres.fresh_database() as dsn, opened_replica(dsn, handler) as replica:
        await replica.start()
        rooms = itertools.cycle(range(_ROOMS))

        async def enqueue(name: str) -> None:
            room = f"!room{next(rooms)}"
            trigger = Trigger(id=name, lane=f"{room}|command", kind=LaneKind.COMMAND, input="{}")
            require(await replica.inbox.store([trigger]) == 1, f"{name} was not stored")

        called = await _trickle(enqueue)
        await until_ended(replica, len(called))
        require(set(replica.figures.outcomes) == {"done"}, "a turn did not end as done")
    return _waits(called, handler.runs)


def _procrastinate() -> Any:
    # By name: it is installed for benchmarks only, and the type checker runs without.
    try:
        return import_module("procrastinate")
    except ImportError as error:
        raise CannotMeasureError(f"`make bench` installs procrastinate: {error}") from error


async def _their_waits(bench: Bench, procrastinate: Any) -> Sequence[float]:
    started: list[tuple[str, float]] = []
    async with bench.postgres.fresh_database() as dsn:
        app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=dsn))

        async def no_op(name: str) -> None:
            started.append((name, time.perf_counter()))

        task = app.task(name="no_op")(no_op)
        async with app.open_async():
            await app.schema_manager.apply_schema_async()
            worker = asyncio.create_task(
                app.run_worker_async(concurrency=8, install_signal_handlers=False)
            )

            async def enqueue(name: str) -> None:
                await task.defer_async(name=name)

            called = await _trickle(enqueue)
            async with asyncio.timeout(_HEARD_SECONDS):
                while len(started) < len(called):  # noqa: ASYNC110 (a plain list, no event)
                    await asyncio.sleep(0.01)
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)
    return _waits(called, started)


async def _trickle(enqueue: Enqueue) -> dict[str, float]:
    """Enqueue at uneven moments; when each call began, the warm-up included."""
    began: dict[str, float] = {}
    chance = random.Random(1)  # noqa: S311 (the same unevenness for both)
    for n in range(_WARM_UP + _SAMPLES):
        await asyncio.sleep(_PAUSE_SECONDS * chance.uniform(0.5, 1.5))
        name = f"$event{n}"
        began[name] = time.perf_counter()
        await enqueue(name)
    return began


def _waits(called: Mapping[str, float], runs: Sequence[tuple[str, float]]) -> Sequence[float]:
    started = dict(runs)
    require(len(runs) == len(started), "something started twice")
    require(called.keys() == started.keys(), f"{len(started)} of {len(called)} have started")
    waits = [(started[name] - began) * 1000 for name, began in called.items()]
    require(min(waits) > 0, "something started before it was asked for")
    return waits[_WARM_UP:]


QUESTION = Question(
    name="claim_to_start",
    figures=(
        "claim_to_start_p50",
        "claim_to_start_p99",
        "claim_to_start_procrastinate_p50",
        "claim_to_start_procrastinate_p99",
    ),
    measure=measure,
)
