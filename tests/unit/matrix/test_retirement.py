"""The user of a namespace that is gone leaves its rooms with a line; others stay."""

from collections.abc import AsyncIterator, Collection
from pathlib import Path

import pytest

from lycatra_appservice.db.connection import Database
from lycatra_appservice.db.migrate import migrate
from lycatra_appservice.db.open import open_database
from lycatra_appservice.matrix.client import MatrixClient
from lycatra_appservice.matrix.errors import HomeserverUnavailableError
from lycatra_appservice.matrix.ghosts import Ghosts
from lycatra_appservice.matrix.retirement import Retirement
from lycatra_appservice.matrix.users import VirtualUsers
from tests.support.homeserver_stub import SERVER_NAME, Failure, HomeserverStub
from tests.support.turns import query
from tests.unit.matrix.conftest import ROOM, Namespace

OTHER_ROOM = "!another"
UPDATES = f"@lycatra_updates:{SERVER_NAME}"
REASON = "My tools are gone."


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = (await open_database(f"sqlite:///{tmp_path / 'lycatra.db'}")).database
    await migrate(opened)
    yield opened
    await opened.close()


@pytest.fixture
async def known(
    database: Database, client: MatrixClient, users: VirtualUsers, stub: HomeserverStub
) -> Database:
    """A database of a service that ran with both namespaces, in two rooms."""
    await Ghosts(database, client, users, None).ensure()
    stub.add_room(OTHER_ROOM, users.main, UPDATES)
    return database


def without_updates() -> VirtualUsers:
    return VirtualUsers(server_name=SERVER_NAME, namespaces=[Namespace("services", "Services")])


def retirement(
    database: Database, client: MatrixClient, *, doubtful: Collection[str] = ()
) -> Retirement:
    async def is_gone(namespace: str) -> bool:
        return namespace not in doubtful

    return Retirement(database, client, without_updates(), is_gone, REASON)


def memberships(stub: HomeserverStub, user: str = UPDATES) -> list[str | None]:
    return [stub.rooms[room].members.get(user) for room in (ROOM, OTHER_ROOM)]


async def test_it_leaves_every_room_with_the_reason_and_nobody_else_does(
    known: Database, client: MatrixClient, stub: HomeserverStub, users: VirtualUsers
) -> None:
    await retirement(known, client).carry_out()

    assert memberships(stub) == ["leave", "leave"]
    assert memberships(stub, users.main) == ["join", "join"]
    assert [each.json for each in stub.asked("POST", "/leave")] == [{"reason": REASON}] * 2


async def test_it_is_done_once_and_again_after_the_namespace_was_back(
    known: Database, client: MatrixClient, stub: HomeserverStub, users: VirtualUsers
) -> None:
    await retirement(known, client).carry_out()
    asked = len(stub.requests)
    await retirement(known, client).carry_out()
    assert len(stub.requests) == asked

    await Ghosts(known, client, users, None).ensure()
    await client.invite(ROOM, users.of("updates"), as_user=users.main)
    await client.join(ROOM, as_user=users.of("updates"))
    await retirement(known, client).carry_out()

    assert memberships(stub) == ["leave", "leave"]


async def test_while_there_is_doubt_nobody_leaves(
    known: Database, client: MatrixClient, stub: HomeserverStub
) -> None:
    await retirement(known, client, doubtful=["updates"]).carry_out()

    assert memberships(stub) == ["join", "join"]


async def test_a_homeserver_that_is_away_is_asked_again_later(
    known: Database, client: MatrixClient, stub: HomeserverStub
) -> None:
    stub.fail(Failure(method="POST", contains=f"{OTHER_ROOM}/leave", status=503))
    with pytest.raises(HomeserverUnavailableError):
        await retirement(known, client).carry_out()

    await retirement(known, client).carry_out()

    assert memberships(stub) == ["leave", "leave"]


async def test_a_room_that_cannot_be_left_keeps_nobody_in_the_others(
    known: Database, client: MatrixClient, stub: HomeserverStub
) -> None:
    stub.fail(Failure(method="POST", contains=f"{ROOM}/leave", status=400, errcode="M_UNKNOWN"))

    await retirement(known, client).carry_out()

    assert memberships(stub) == ["join", "leave"]
    assert {"user_id": UPDATES} in await query(known, "SELECT user_id FROM ghost")


@pytest.mark.parametrize("lost", ["device", "account"])
async def test_one_that_has_lost_its_device_leaves_all_the_same_and_one_without_account_is_gone(
    known: Database, client: MatrixClient, stub: HomeserverStub, lost: str
) -> None:
    stub.devices.discard((UPDATES, "LYC"))
    if lost == "account":
        stub.users.discard(UPDATES)

    await retirement(known, client).carry_out()

    assert memberships(stub) == (["leave", "leave"] if lost == "device" else ["join", "join"])
    assert {"user_id": UPDATES} not in await query(known, "SELECT user_id FROM ghost")
