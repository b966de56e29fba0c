"""A file is uploaded and shown once, wherever the process dies in between."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import timedelta

import aiohttp
import pytest
from pydantic import SecretStr

from lycatra_appservice.chat.attachments import rows_of
from lycatra_appservice.db.connection import Database
from lycatra_appservice.matrix.client import MatrixClient
from lycatra_appservice.matrix.delivery import MatrixDeliverer
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import (
    JSON,
    Address,
    EventID,
    File,
    LaneKind,
    Outgoing,
    Reply,
    RoomID,
    SendKind,
)
from lycatra_appservice.turns.delivery import Deliverer, Delivery, SendRow
from lycatra_appservice.turns.journal import Journal
from lycatra_appservice.turns.runner import TurnRunner
from lycatra_appservice.turns.sending import Sending
from lycatra_appservice.turns.turn import Turn
from lycatra_appservice.words.catalogue import in_english
from tests.support.homeserver_stub import (
    AS_TOKEN,
    SERVER_NAME,
    HomeserverStub,
    running_homeserver_stub,
)
from tests.support.turns import (
    Engine,
    Figures,
    ScriptedHandler,
    query,
    trigger,
    turn_states,
)

ROOM = RoomID("!room")
DATA = b"minute,errors\n09:00,7\n"
USERS = VirtualUsers(server_name=SERVER_NAME, namespaces=[])
FILES = [
    File(name=f"{name}.csv", content_type="text/csv", data=DATA + name.encode(), description="")
    for name in ("one", "two")
]


@pytest.fixture
async def stub() -> AsyncIterator[HomeserverStub]:
    async with running_homeserver_stub() as running:
        running.add_user(USERS.main)
        running.add_room(ROOM, USERS.main)
        yield running


@pytest.fixture
async def client(stub: HomeserverStub) -> AsyncIterator[MatrixClient]:
    async with aiohttp.ClientSession() as session:
        yield MatrixClient(session, stub.url, SecretStr(AS_TOKEN))


class Death:
    """A process that gets no further than its row `n`; `is_out`: the room has it by then."""

    def __init__(self, n: int, *, is_out: bool) -> None:
        self.came = asyncio.Event()
        self.n = n
        self.is_out = is_out

    async def stop(self, row: SendRow, *, is_out: bool) -> None:
        if (row.n, is_out) == (self.n, self.is_out):
            self.came.set()
            await asyncio.Event().wait()


class MortalDeliverer:
    """A deliverer in a process that dies."""

    def __init__(self, deliverer: Deliverer, death: Death) -> None:
        self._deliverer = deliverer
        self._death = death

    async def deliver(self, row: SendRow, *, look_first: bool) -> Delivery:
        await self._death.stop(row, is_out=False)
        outcome = await self._deliverer.deliver(row, look_first=look_first)
        await self._death.stop(row, is_out=True)
        return outcome


class Worker(Engine):
    """The parts of one process that run a turn."""

    def __init__(
        self, database: Database, client: MatrixClient, owner: str, death: Death | None = None
    ) -> None:
        super().__init__(database, owner)
        handler = ScriptedHandler()
        handler.scripts["$a"] = _answer
        journal = Journal(database, owner)
        deliverer: Deliverer = MatrixDeliverer(client, USERS, is_encrypted=_never)
        if death is not None:
            deliverer = MortalDeliverer(deliverer, death)
        self._runner = TurnRunner(
            self.store,
            journal,
            Sending(journal, deliverer, Figures()),
            handler,
            Figures(),
            first_retry=timedelta(0),
        )

    async def work(self) -> None:
        """Run turns until none is ready."""
        while taken := await self.store.claim(LaneKind.ASK, 1):
            for lease, turn in taken:
                await self._runner.run(lease, turn, go_on=False)


async def _never(_: RoomID) -> bool:
    return False


async def _answer(turn: Turn) -> Sequence[Outgoing]:
    # Something was sent already, so that the answer's rows do not begin at 0.
    draft = {"msgtype": "m.notice", "body": "a moment", "m.mentions": {}}
    await turn.send(
        Outgoing(kind=SendKind.MESSAGE, room_id=ROOM, sender=USERS.main, content=draft)
    )
    reply = Reply(markdown="Here:", sender=USERS.main, files=FILES)
    place = Address(room_id=ROOM, reply_to=EventID("$a"))
    return rows_of(reply, place, {"to": "$a", "kind": "message"}, "table", in_english)


def shown(stub: HomeserverStub) -> list[JSON]:
    return [event["content"] for event in stub.rooms[ROOM].events]


def check(stub: HomeserverStub) -> None:
    """One message for each file, in order, and its bytes behind its address."""
    assert [content["body"] for content in shown(stub)] == [
        "a moment",
        "Here:",
        "one.csv",
        "two.csv",
    ]
    assert [stub.media[content["url"]][1] for content in shown(stub)[2:]] == [
        file.data for file in FILES
    ]


async def test_each_message_of_a_file_points_to_its_own_upload(
    database: Database, client: MatrixClient, stub: HomeserverStub
) -> None:
    worker = Worker(database, client, "one")
    await worker.inbox.store([trigger("$a")])

    await worker.work()

    check(stub)
    assert len(stub.media) == 2
    assert await turn_states(database) == {"$a": "done"}
    rows = await query(database, "SELECT data FROM send")
    assert not any(row["data"] for row in rows)  # the bytes are not kept


@pytest.mark.parametrize("is_out", [False, True], ids=["before it is out", "before it is noted"])
@pytest.mark.parametrize("n", [2, 3, 4, 5])
async def test_a_process_that_dies_at_any_row_leaves_every_file_once(
    database: Database, client: MatrixClient, stub: HomeserverStub, n: int, is_out: bool
) -> None:
    death = Death(n, is_out=is_out)
    first = Worker(database, client, "one", death)
    await first.inbox.store([trigger("$a")])

    async with asyncio.timeout(20):
        running = asyncio.create_task(first.work())
        await death.came.wait()
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        await query(database, "UPDATE lane SET lease_until = 0")
        heir = Worker(database, client, "two")
        await heir.upkeep.free_dead()
        await heir.work()

    check(stub)
    assert await turn_states(database) == {"$a": "done"}
