"""`lycatra uninstall` against a real Synapse: what is left of us, and what may come back."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lycatra_appservice.demo.people import ClientApiError, PersonClient, register_person
from lycatra_appservice.model import JSON, RoomID, UserID
from tests.support.newcomer import Newcomer, Typed, newcomer
from tests.support.stage import Room
from tests.support.waiting import until

pytestmark = pytest.mark.slow  # each starts a Synapse, or waits for one

LYCATRA = UserID("@lycatra:hs.test")
UPDATES = UserID("@lycatra_updates:hs.test")
REASON = "Lycatra is being removed from this homeserver."


@pytest.fixture
async def installed(tmp_path: Path) -> AsyncIterator[Newcomer]:
    """A homeserver that knows us, with a configuration beside it; nothing runs."""
    async with newcomer(tmp_path) as who:
        async with who.types_init("--wait", "0") as init:
            assert await init.ended() == 0, init.said
        await who.restart_synapse(who.registration)
        yield who


@pytest.fixture
async def alice(installed: Newcomer) -> AsyncIterator[PersonClient]:
    """A person."""
    made = await register_person(installed.homeserver, "alice", "password")
    async with PersonClient(installed.homeserver.url, made) as person:
        yield person


async def stopped(service: Typed) -> None:
    service.interrupt()
    assert await service.ended() == 0


async def used(installed: Newcomer, alice: PersonClient) -> Room:
    """A room that both @lycatra and @lycatra_updates have answered in; the service is stopped."""
    async with installed.types("run") as service:
        await service.until_said('"event": "ready"')
        room_id = await alice.create_room("ops", invite=[LYCATRA, UPDATES])
        for user in (LYCATRA, UPDATES):
            await alice.wait_for_member(room_id, user)
        room = Room(room_id, alice)
        assert "!list updates" in await room.said_to("!help")
        await until(lambda: has_control_room(alice), "the technical room")
        await stopped(service)
    return room


async def has_control_room(person: PersonClient) -> bool:
    return await exists(person, "/directory/room/%23lycatra_control:hs.test")


async def exists(person: PersonClient, path: str) -> bool:
    try:
        await person.call("GET", path)
    except ClientApiError:
        return False
    return True


async def leaving(person: PersonClient, room_id: RoomID, user: UserID) -> JSON:
    """The event by which somebody left."""
    events = await person.all_messages(room_id)
    [left] = [
        event
        for event in events
        if event.get("state_key") == user and event["content"].get("membership") == "leave"
    ]
    return left


async def test_our_users_leave_with_a_reason_and_their_names_can_be_used_again(
    installed: Newcomer, alice: PersonClient
) -> None:
    room = await used(installed, alice)
    never_joined = await alice.create_room("never joined", invite=[UPDATES])
    code, said = await installed.run("uninstall", "--yes")
    assert code == 0, said
    assert await alice.membership(never_joined, UPDATES) == "leave"
    for user in (LYCATRA, UPDATES):
        left = await leaving(alice, room.room_id, user)
        assert left["content"]["reason"] == REASON
    assert not await has_control_room(alice)
    assert "@lycatra:hs.test has left 2 rooms and is deactivated" in said
    for kept in ("homeserver.yaml", str(installed.registration), "config.yaml", "lycatra.db"):
        assert kept in said

    code, said = await installed.run("uninstall", "--yes")
    assert code == 0, said

    async with installed.types("run") as service:
        await service.until_said('"event": "ready"')
        again = await alice.create_room("again", invite=[LYCATRA])
        await alice.wait_for_member(again, LYCATRA)
        assert "!list updates" in await Room(again, alice).said_to("!help")


async def test_a_dry_run_and_nobody_to_ask_change_nothing(
    installed: Newcomer, alice: PersonClient
) -> None:
    room = await used(installed, alice)
    code, said = await installed.run("uninstall", "--dry-run")
    assert code == 0, said
    assert "@lycatra_updates:hs.test leaves 1 room" in said
    code, said = await installed.run("uninstall")
    assert code == 1
    assert "--yes" in said
    async with installed.types_in_terminal("uninstall") as typed:
        await typed.answer("Type yes", "no")
        assert await typed.ended() == 1
    assert "nothing was changed" in typed.said
    assert await alice.membership(room.room_id, LYCATRA) == "join"
    assert await has_control_room(alice)


async def test_a_running_service_has_to_be_stopped_first(
    installed: Newcomer, alice: PersonClient
) -> None:
    async with installed.types("run") as service:
        await service.until_said('"event": "ready"')
        code, said = await installed.run("uninstall", "--yes")
        assert code == 1
        assert "stop every replica first" in said


async def test_a_synapse_that_never_knew_us_is_told_apart(tmp_path: Path) -> None:
    async with newcomer(tmp_path) as who:
        async with who.types_init("--wait", "0") as init:
            assert await init.ended() == 0, init.said
        code, said = await who.run("uninstall", "--yes")
    assert code == 1
    assert "Synapse does not take Lycatra's as_token" in said
    assert "What remains" not in said
