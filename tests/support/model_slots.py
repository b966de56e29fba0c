"""Processes that ask one model of few places, and what they hear of waiting."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta

from lycatra_appservice.agent.model_wait import Limit, WaitStore
from lycatra_appservice.agent.slots import ModelSlots
from lycatra_appservice.db.migrate import migrate
from lycatra_appservice.db.open import OpenedDatabase, open_database
from lycatra_appservice.db.statements import Dialect, parse_statement
from lycatra_appservice.model import UserID
from tests.support.turns import query, until_true

LEASE = timedelta(seconds=10)
_BEAT_SECONDS = 0.03
_LOCK_ALL = parse_statement(
    "lock all",
    "SELECT pg_advisory_xact_lock(hashtextextended('model_wait ' || backend, 0))"
    " FROM (SELECT DISTINCT backend FROM model_wait) AS b",
)
_END_LEASES = parse_statement(
    "end leases", "UPDATE model_wait SET lease_until = 0 WHERE owner = :owner"
)


class RecordingHearer:
    """Keeps all that it is told."""

    def __init__(self) -> None:
        self.ahead: list[int] = []
        self.asked = 0
        self.written = ""

    def waits(self, ahead: int) -> None:
        self.ahead.append(ahead)

    def asks(self) -> None:
        self.asked += 1

    def wrote(self, text: str) -> None:
        self.written += text

    def calls(self, tools: Sequence[str]) -> None: ...


class WaitFigures:
    """Counts what the metrics would."""

    def __init__(self) -> None:
        self.waited: list[float] = []
        self.waiting = 0
        self.refused = 0
        self.expired = 0

    def model_waited(self, backend: str, seconds: float) -> None:
        self.waited.append(seconds)

    def model_waiting(self, backend: str, requests: int) -> None:
        self.waiting = requests

    def model_refused(self, backend: str) -> None:
        self.refused += 1

    def model_wait_expired(self, backend: str, requests: int) -> None:
        self.expired += requests


class Model:
    """What happens at the model: who is being served, and who was, in order."""

    def __init__(self) -> None:
        self.now: list[str] = []
        self.served: list[str] = []
        self.most = 0

    def begins(self, request: str) -> None:
        self.now.append(request)
        self.served.append(request)
        self.most = max(self.most, len(self.now))

    def ends(self, request: str) -> None:
        self.now.remove(request)


class Asking:
    """One request, in a task of its own; `finish` ends it."""

    def __init__(
        self, client: "Client", name: str, person: str, limit: Limit, *, begun: bool
    ) -> None:
        self.name = name
        self.hearer = RecordingHearer()
        self._client = client
        self._limit = limit
        self._person = UserID(f"@{person}:hs.test")
        self._begun = begun
        self._finish = asyncio.Event()
        self.task = asyncio.create_task(self._ask())

    async def finish(self) -> None:
        self._finish.set()
        async with asyncio.timeout(20):
            await self.task

    async def cancel(self) -> None:
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task

    async def _ask(self) -> None:
        slots, model = self._client.slots.of(self._limit), self._client.model
        async with slots.held(self._person, self.hearer, begun=self._begun):
            model.begins(self.name)
            try:
                await self._finish.wait()
            finally:
                model.ends(self.name)


class Client:
    """One process. On SQLite, which has only one, two of them are two parts of it."""

    def __init__(
        self,
        opened: OpenedDatabase,
        owner: str,
        model: Model,
        lease: timedelta,
        beside: "Client | None" = None,
    ) -> None:
        self.database = opened.database
        self.signals = opened.signals
        self.owner = owner
        self.model = model
        self.figures: WaitFigures = beside.figures if beside else WaitFigures()
        store = WaitStore(opened.database, owner, lease)
        self.slots: ModelSlots = (
            beside.slots if beside else ModelSlots(store, opened.signals, self.figures)
        )
        self._tasks: list[asyncio.Task[None]] = []

    async def ask(
        self, name: str, limit: Limit, *, person: str | None = None, begun: bool = False
    ) -> Asking:
        """Begin a request; return when it is served, waits or was refused."""
        asking = Asking(self, name, person or name, limit, begun=begun)
        await until_true(
            lambda: bool(asking.hearer.ahead or asking.task.done() or name in self.model.served)
        )
        return asking

    async def listen(self) -> None:
        """Hear notifications from now on."""
        connected = asyncio.Event()

        async def ready() -> None:
            connected.set()

        self._tasks.append(asyncio.create_task(self.signals.run(ready)))
        async with asyncio.timeout(20):
            await connected.wait()

    def beat(self) -> None:
        """Renew from now on, as a worker does."""
        self._tasks.append(asyncio.create_task(self._beat()))

    async def freeze(self) -> None:
        """Renew nothing and hear nothing any more."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def forget_leases(self) -> None:
        """Have the leases of this process end now, and not while another one looks at them."""
        async with self.database.transaction() as connection:
            if self.database.dialect is Dialect.POSTGRES:
                await connection.execute(_LOCK_ALL)
            await connection.execute(_END_LEASES, owner=self.owner)

    async def _beat(self) -> None:
        while True:
            await self.slots.renew()
            await asyncio.sleep(_BEAT_SECONDS)


@asynccontextmanager
async def two_clients(
    url: str, *, pool_size: int = 4, lease: timedelta = LEASE
) -> AsyncIterator[tuple[Client, Client]]:
    """Two on one store, that ask one model."""
    model = Model()
    async with AsyncExitStack() as stack:
        clients: list[Client] = []
        for name in ("one", "two"):
            opened = await open_database(url, owner=name, pool_size=pool_size)
            stack.push_async_callback(opened.database.close)
            await migrate(opened.database)
            is_same = clients and opened.database.dialect is Dialect.SQLITE
            beside = clients[0] if is_same else None
            clients.append(Client(opened, name, model, lease, beside))
            stack.push_async_callback(clients[-1].freeze)
        yield clients[0], clients[1]


async def rows(client: Client) -> Counter[str]:
    """How many requests there are, by their state."""
    found = await query(client.database, "SELECT state FROM model_wait")
    return Counter(row["state"] for row in found)
