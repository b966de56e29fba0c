"""The heartbeat: an event of our own that has to come back by push."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from lycatra_appservice.db.migrate import migrate
from lycatra_appservice.db.open import OpenedDatabase, open_database
from lycatra_appservice.matrix.client import MatrixClient
from lycatra_appservice.matrix.errors import MatrixError
from lycatra_appservice.matrix.heartbeat import HEARTBEAT_TYPE, Heartbeat, Pinger
from lycatra_appservice.matrix.users import VirtualUsers
from tests.support.homeserver_stub import Failure, HomeserverStub
from tests.support.turns import until_true

ALIAS = "#lycatra_control:hs.test"
AT_ONCE = timedelta(0)


@dataclass
class Pulse:
    """A heartbeat whose echo a test may give."""

    stub: HomeserverStub
    heartbeat: Heartbeat
    silences: list[str] = field(default_factory=list)

    @property
    def nonces(self) -> list[str]:
        events = [event for room in self.stub.rooms.values() for event in room.events]
        return [event["content"]["nonce"] for event in events if event["type"] == HEARTBEAT_TYPE]

    @property
    def pings(self) -> int:
        return len(self.stub.asked("POST", "/ping"))

    async def beat_with_echo(self) -> None:
        sent = len(self.nonces)
        beating = asyncio.create_task(self.heartbeat.beat())
        await until_true(lambda: len(self.nonces) > sent)
        for stranger in ("of another process", "", "of another process"):
            await self.heartbeat.arrived(stranger)
        assert not beating.done()
        await self.heartbeat.arrived(self.nonces[-1])
        async with asyncio.timeout(10):
            await beating


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[OpenedDatabase]:
    database = await open_database(f"sqlite:///{tmp_path / 'lycatra.db'}")
    await migrate(database.database)
    yield database
    await database.database.close()


def pulse(
    opened: OpenedDatabase,
    client: MatrixClient,
    users: VirtualUsers,
    stub: HomeserverStub,
    *,
    patience: timedelta = timedelta(seconds=20),
    silence: timedelta = timedelta(minutes=5),
) -> Pulse:
    silences: list[str] = []

    async def on_silence() -> None:
        silences.append("looked for gaps")

    heartbeat = Heartbeat(
        opened.database,
        opened.signals,
        client,
        users,
        Pinger(client, "lycatra"),
        on_silence,
        silence=silence,
        patience=patience,
    )
    return Pulse(stub, heartbeat, silences)


async def test_a_beat_that_comes_back_needs_nothing_more(
    opened: OpenedDatabase, client: MatrixClient, users: VirtualUsers, stub: HomeserverStub
) -> None:
    heart = pulse(opened, client, users, stub)

    await heart.beat_with_echo()

    assert (heart.pings, heart.silences) == (0, [])


async def test_after_a_beat_that_came_back_there_is_none_for_a_while(
    opened: OpenedDatabase, client: MatrixClient, users: VirtualUsers, stub: HomeserverStub
) -> None:
    heart = pulse(opened, client, users, stub)
    await heart.beat_with_echo()

    await heart.heartbeat.beat()

    assert len(heart.nonces) == 1


async def test_after_a_long_silence_there_is_another(
    opened: OpenedDatabase, client: MatrixClient, users: VirtualUsers, stub: HomeserverStub
) -> None:
    heart = pulse(opened, client, users, stub, silence=timedelta(seconds=-1))

    await heart.beat_with_echo()
    await heart.beat_with_echo()

    assert len(set(heart.nonces)) == 2


async def test_without_an_echo_the_homeserver_is_pinged_and_gaps_are_looked_for(
    opened: OpenedDatabase, client: MatrixClient, users: VirtualUsers, stub: HomeserverStub
) -> None:
    heart = pulse(opened, client, users, stub, patience=AT_ONCE)

    await heart.heartbeat.beat()
    await heart.heartbeat.beat()

    assert len(heart.nonces) == 2
    assert heart.pings == 2
    assert heart.silences == ["looked for gaps"] * 2


async def test_all_beats_go_into_one_room(
    opened: OpenedDatabase, client: MatrixClient, users: VirtualUsers, stub: HomeserverStub
) -> None:
    for _ in range(2):
        await pulse(opened, client, users, stub, patience=AT_ONCE).heartbeat.beat()

    [room] = [room_id for room_id in stub.rooms.values() if room_id.events]
    assert stub.rooms[stub.aliases[ALIAS]] is room
    assert len(stub.asked("POST", "/createRoom")) == 1


async def test_a_room_that_another_replica_makes_meanwhile_is_used(
    opened: OpenedDatabase, client: MatrixClient, users: VirtualUsers, stub: HomeserverStub
) -> None:
    stub.add_room("!made", users.main)
    stub.aliases[ALIAS] = "!made"
    stub.fail(Failure(method="GET", contains="/directory/", status=404, errcode="M_NOT_FOUND"))

    await pulse(opened, client, users, stub, patience=AT_ONCE).heartbeat.beat()

    assert len(stub.rooms["!made"].events) == 1


async def test_a_room_that_nobody_may_find_is_a_failure_that_can_be_told(
    opened: OpenedDatabase, client: MatrixClient, users: VirtualUsers, stub: HomeserverStub
) -> None:
    stub.fail(Failure(method="POST", contains="/createRoom", status=403, errcode="M_FORBIDDEN"))

    with pytest.raises(MatrixError, match="M_FORBIDDEN"):
        await pulse(opened, client, users, stub).heartbeat.beat()
