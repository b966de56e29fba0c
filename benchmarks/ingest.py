"""How fast are pushes stored, one after another on the one connection that Synapse has?"""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Final

from benchmarks.measuring import (
    Figure,
    WrongWorkError,
    at_least,
    exactly,
    interleave,
    ratios,
    require,
)
from benchmarks.programs import is_listening, tail_of
from benchmarks.pushing import CROWDS, Push, PushConnection, PushMaker
from benchmarks.question import REPOSITORY, Bench, Question
from benchmarks.servers.lycatra_intake import CROWDS as CROWDS_PATH
from benchmarks.servers.serving import TAKEN
from lycatra_appservice.demo.child import Child
from lycatra_appservice.demo.homeserver import free_port

# Many short rounds: what disturbs the machine is then mostly longer than a pair of them.
_ROUNDS: Final = 40
_SINGLE_PUSHES: Final = 100  # a round
_HUNDRED_PUSHES: Final = 20
_WARM_UP: Final = 50
_CROWDS_LAST_SECONDS: Final = 20.0  # less than the service's own memory of them
_COMMITTED: Final = (20, 520)  # pushes; the difference takes out what a start costs

_OURS: Final = "benchmarks.servers.lycatra_intake"
_ONE_INSERT: Final = "benchmarks.servers.one_insert"
_MAUTRIX: Final = "benchmarks.servers.mautrix_handler"


class Server:
    """One running server and what it has been given so far."""

    def __init__(self, connection: PushConnection, taken_of: Callable[[Push], int]) -> None:
        self._connection = connection
        self._taken_of = taken_of
        self._given = 0
        self._crowds_until = 0.0

    async def push(self, pushes: Sequence[Push]) -> float:
        """Push them all; pushes a second."""
        speed = self._connection.push_all(pushes)
        self._given += sum(self._taken_of(push) for push in pushes)
        return speed

    def know_crowds(self) -> None:
        """Have ours remember the crowds, as their turns would, but not in every round."""
        if monotonic() < self._crowds_until:
            return
        self._crowds_until = monotonic() + _CROWDS_LAST_SECONDS
        known = self._connection.ask("POST", CROWDS_PATH, list(CROWDS))
        require(known == len(CROWDS), f"only {known} of {len(CROWDS)} rooms are crowds")

    def check(self, name: str) -> None:
        """Raise WrongWorkError unless exactly what was pushed was taken in."""
        taken = self._connection.ask("GET", TAKEN)
        require(taken == self._given, f"{name} took in {taken} of {self._given}")


async def measure(bench: Bench) -> Sequence[Figure]:
    """Let the three servers take turns, then count the commits of ours alone."""
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        ours = await enter(_server(bench, _OURS, lambda push: push.ours))
        one_insert = await enter(_server(bench, _ONE_INSERT, lambda _: 1))
        mautrix = await enter(_server(bench, _MAUTRIX, lambda push: push.events))
        speeds = await _race(ours, one_insert, mautrix)
        for name, server in (("ours", ours), ("one INSERT", one_insert), ("mautrix", mautrix)):
            server.check(name)
    return [*_figures(speeds), await _commits(bench)]


async def _race(ours: Server, one_insert: Server, mautrix: Server) -> dict[str, list[float]]:
    maker = PushMaker()

    def pushing(
        server: Server, pushes: int, events: int, mine: int
    ) -> Callable[[], Awaitable[float]]:
        async def push() -> float:
            if server is ours:
                server.know_crowds()
            return await server.push(maker.make(pushes, events, mine))

        return push

    for server in (ours, one_insert, mautrix):
        await pushing(server, _WARM_UP, 1, 1)()
        await pushing(server, _WARM_UP, 100, 2)()
    return await interleave(
        _ROUNDS,
        {
            "ours_1": pushing(ours, _SINGLE_PUSHES, 1, 1),
            "one_insert_1": pushing(one_insert, _SINGLE_PUSHES, 1, 1),
            "ours_100_2pct": pushing(ours, _HUNDRED_PUSHES, 100, 2),
            "one_insert_100": pushing(one_insert, _HUNDRED_PUSHES, 100, 2),
            "ours_100_all": pushing(ours, _HUNDRED_PUSHES, 100, 100),
            "mautrix_100": pushing(mautrix, _HUNDRED_PUSHES, 100, 2),
        },
    )


def _figures(speeds: Mapping[str, Sequence[float]]) -> Sequence[Figure]:
    pairs = (
        ("ingest_1", "ours_1", "one_insert_1", at_least(0.80)),
        ("ingest_100_2pct", "ours_100_2pct", "one_insert_100", at_least(0.60)),
        ("ingest_100_all", "ours_100_all", "one_insert_100", None),
        ("ingest_vs_mautrix", "ours_100_2pct", "mautrix_100", at_least(2)),
        ("ingest_vs_mautrix_all", "ours_100_all", "mautrix_100", None),
    )
    return [
        Figure(
            name=name,
            unit="ratio",
            rounds=ratios(speeds[ours], speeds[baseline]),
            goal=goal,
            raw={f"{each}, pushes/s": speeds[each] for each in (ours, baseline)},
        )
        for name, ours, baseline, goal in pairs
    ]


async def _commits(bench: Bench) -> Figure:
    maker = PushMaker()
    async with bench.postgres.fresh_database() as dsn:

        async def commits_of(pushes: int) -> int:
            before = await bench.postgres.commits(dsn)
            async with _running(bench.folder, _OURS, dsn) as connection:
                connection.push_all(maker.make(pushes, 1, 1))
            return await bench.postgres.commits(dsn) - before

        await commits_of(1)  # migrates
        few, many = _COMMITTED
        commits = [await commits_of(few), await commits_of(many)]
    each = (commits[1] - commits[0]) / (many - few)
    return Figure(
        name="commits_per_push",
        unit="commits",
        rounds=[each],
        goal=exactly(1),
        raw={"commits": commits, "pushes": [few, many]},
    )


@asynccontextmanager
async def _server(
    bench: Bench, module: str, taken_of: Callable[[Push], int]
) -> AsyncIterator[Server]:
    async with (
        bench.postgres.fresh_database() as dsn,
        _running(bench.folder, module, dsn) as connection,
    ):
        yield Server(connection, taken_of)


@asynccontextmanager
async def _running(folder: Path, module: str, dsn: str) -> AsyncIterator[PushConnection]:
    port = free_port()
    log = folder / f"{module}.log"
    with log.open("wb") as output:
        child = Child(Path(sys.executable), module, (str(port), dsn), REPOSITORY, output)
    try:
        if not await is_listening(port, child):
            raise WrongWorkError(f"{module} ended while starting:\n{tail_of(log)}")
        with PushConnection(port) as connection:
            yield connection
    finally:
        await child.stop()


QUESTION = Question(
    name="ingest",
    figures=(
        "ingest_1",
        "ingest_100_2pct",
        "ingest_100_all",
        "ingest_vs_mautrix",
        "ingest_vs_mautrix_all",
        "commits_per_push",
    ),
    measure=measure,
)
