"""Our users on the homeserver: registered, with a device and the right profile."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from lycatra_appservice.db.connection import Database
from lycatra_appservice.db.migrate import migrate
from lycatra_appservice.db.open import open_database
from lycatra_appservice.matrix.client import MatrixClient
from lycatra_appservice.matrix.errors import HomeserverUnavailableError
from lycatra_appservice.matrix.ghosts import Ghosts
from lycatra_appservice.matrix.users import VirtualUsers
from tests.support.homeserver_stub import Failure, HomeserverStub

AVATAR = "mxc://hs.test/picture"


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = (await open_database(f"sqlite:///{tmp_path / 'lycatra.db'}")).database
    await migrate(opened)
    yield opened
    await opened.close()


@pytest.fixture
def empty(stub: HomeserverStub) -> HomeserverStub:
    """A homeserver that has never heard of us."""
    stub.users.clear()
    stub.devices.clear()
    return stub


def names(stub: HomeserverStub) -> Mapping[str, object]:
    return {user: profile.get("displayname") for user, profile in stub.profiles.items()}


def writes(stub: HomeserverStub) -> int:
    return len(stub.asked("PUT", "/profile/"))


async def test_every_user_gets_an_account_a_device_and_a_name(
    database: Database, client: MatrixClient, users: VirtualUsers, empty: HomeserverStub
) -> None:
    await Ghosts(database, client, users, AVATAR).ensure()

    everybody = {users.sender, *users.all}
    assert empty.users == everybody
    assert empty.devices == {(user, "LYC") for user in everybody}
    assert names(empty) == {user: users.display_name(user) for user in everybody}
    assert {profile["avatar_url"] for profile in empty.profiles.values()} == {AVATAR}


async def test_a_profile_that_has_not_changed_is_not_written_again(
    database: Database, client: MatrixClient, users: VirtualUsers, empty: HomeserverStub
) -> None:
    await Ghosts(database, client, users, None).ensure()
    written = writes(empty)

    await Ghosts(database, client, users, None).ensure()

    assert writes(empty) == written


async def test_only_what_changed_of_a_profile_is_written(
    database: Database, client: MatrixClient, users: VirtualUsers, empty: HomeserverStub
) -> None:
    await Ghosts(database, client, users, None).ensure()
    written = writes(empty)

    await Ghosts(database, client, users, AVATAR).ensure()

    assert writes(empty) - written == len(empty.users)
    assert all(
        seen.path.endswith("avatar_url") for seen in empty.asked("PUT", "/profile/")[written:]
    )


async def test_an_account_that_is_new_gets_its_profile_whatever_we_remember(
    database: Database, client: MatrixClient, users: VirtualUsers, empty: HomeserverStub
) -> None:
    await Ghosts(database, client, users, None).ensure()
    empty.users.clear()
    empty.devices.clear()
    empty.profiles.clear()

    await Ghosts(database, client, users, None).ensure()

    assert names(empty)[users.main] == "Lycatra"


async def test_a_user_whom_the_homeserver_refuses_hides_no_other(
    database: Database,
    client: MatrixClient,
    users: VirtualUsers,
    empty: HomeserverStub,
    caplog: pytest.LogCaptureFixture,
) -> None:
    refusal = Failure(
        method="PUT", contains="/devices/", status=403, errcode="M_FORBIDDEN", user=users.main
    )
    empty.fail(refusal)

    await Ghosts(database, client, users, None).ensure()

    assert set(names(empty)) == {users.sender, *users.all} - {users.main}
    assert "virtual_user_refused" in caplog.messages


async def test_a_homeserver_that_is_away_is_no_refusal(
    database: Database, client: MatrixClient, users: VirtualUsers, empty: HomeserverStub
) -> None:
    empty.fail(Failure(method="POST", contains="/register", status=502, raw=b""))

    with pytest.raises(HomeserverUnavailableError):
        await Ghosts(database, client, users, None).ensure()
