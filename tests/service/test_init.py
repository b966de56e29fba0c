"""`lycatra init` against a real Synapse: from an empty folder to an answer in a direct chat."""

import asyncio
import json
import secrets
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lycatra_appservice.demo.people import PersonClient, register_person
from lycatra_appservice.model import JSON, RoomID
from lycatra_appservice.registration import read_registration, render
from lycatra_appservice.settings_file import load_settings
from tests.support.newcomer import Newcomer, newcomer
from tests.support.stage import Room

pytestmark = pytest.mark.slow  # each starts a Synapse, or waits for one

WAITS = "waiting for Synapse to be restarted with the registration"
REACHED = "Synapse and Lycatra reach each other."


@pytest.fixture
async def beside(tmp_path: Path) -> AsyncIterator[Newcomer]:
    """A homeserver without Lycatra, and an empty folder."""
    async with newcomer(tmp_path) as who:
        yield who


async def invited_to(person: PersonClient) -> list[RoomID]:
    """The rooms that somebody is invited to."""
    # Synapse keeps the answer to an initial sync for a while; a filter of its own gets a new one.
    only = {"room": {"timeline": {"limit": 1 + secrets.randbelow(100)}}}
    answer = await person.call("GET", "/sync", query={"filter": json.dumps(only)})
    return [RoomID(room) for room in answer.get("rooms", {}).get("invite", {})]


async def messages(room: Room) -> list[JSON]:
    return [event for event in await room.events() if event["type"] == "m.room.message"]


async def test_from_an_empty_folder_to_an_answer_in_a_direct_chat(beside: Newcomer) -> None:
    made = await register_person(beside.homeserver, "alice", "password")
    async with beside.types_init("--greet") as init:
        await init.until_said(WAITS)
        assert f"- {beside.registration}" in init.said
        await beside.restart_synapse(beside.registration)
        assert await init.ended() == 0, init.said
    assert "Start Lycatra: lycatra run" in init.said
    assert "Is it spelled right?" not in init.said
    tokens = read_registration(beside.registration)
    assert tokens["as_token"] not in init.said
    assert tokens["hs_token"] not in init.said

    async with PersonClient(beside.homeserver.url, made) as alice:
        [room_id] = await invited_to(alice)
        await alice.join(room_id)
        room = Room(room_id, alice)
        [greeting] = await messages(room)
        assert greeting["sender"] == "@lycatra:hs.test"
        assert greeting["content"]["m.mentions"] == {"user_ids": [made.user_id]}
        assert "!list updates" in greeting["content"]["body"]
        async with beside.types("run") as service:
            assert "!list updates" in await room.said_to("!help")
            assert "Traceback" not in service.said


async def test_ctrl_c_leaves_whole_files_and_the_next_run_goes_on_with_them(
    beside: Newcomer,
) -> None:
    async with beside.types_init() as init:
        await init.until_said(WAITS)
        init.interrupt()
        assert await init.ended() == 130
    assert "Nothing is half-written" in init.said
    assert "Traceback" not in init.said
    config, tokens = beside.folder / "config.yaml", read_registration(beside.registration)
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    assert stat.S_IMODE(beside.registration.stat().st_mode) == 0o600
    settings = load_settings(config, {}, {})
    assert settings.access.admin == ("@alice:hs.test",)
    before = config.read_bytes()

    await beside.restart_synapse(beside.registration)
    code, said = await beside.run("init", "--yes", "--server-name", "other.test")
    assert code == 0, said
    assert "config.yaml exists already and is used as it is" in said
    assert "app_service_config_files" not in said  # Synapse knows it already
    assert REACHED in said
    assert config.read_bytes() == before
    assert read_registration(beside.registration) == tokens


async def test_a_wrong_address_is_told_at_once_and_nothing_is_written(beside: Newcomer) -> None:
    code, said = await beside.run(
        *("init", "--yes", "--admin", "@alice:hs.test", "--homeserver", "http://127.0.0.1:9")
    )
    assert code == 1
    assert said == (
        "lycatra: --homeserver: http://127.0.0.1:9 cannot be reached: Connection refused\n"
    )
    assert list(beside.folder.iterdir()) == []


async def test_without_anybody_to_ask_missing_answers_are_named_as_options(
    beside: Newcomer,
) -> None:
    code, said = await beside.run("init", "--yes")
    assert code == 1
    assert "--server-name is missing" in said


async def test_a_port_in_use_is_told_before_anything_is_written(beside: Newcomer) -> None:
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", beside.port)
    async with server, beside.types_init() as init:
        assert await init.ended() == 1
    assert f"--port: Lycatra cannot listen on port {beside.port}" in init.said
    assert list(beside.folder.iterdir()) == []


async def test_a_synapse_that_is_not_restarted_ends_with_what_to_do(beside: Newcomer) -> None:
    async with beside.types_init("--wait", "1") as init:
        assert await init.ended() == 1
    assert "Synapse does not know Lycatra's as_token" in init.said
    assert "restart Synapse" in init.said
    assert "`lycatra init` again" in init.said


async def test_a_synapse_with_another_copy_of_the_registration_is_told_apart(
    beside: Newcomer,
) -> None:
    async with beside.types_init() as init:
        await init.until_said(WAITS)
        copy = beside.folder / "copy.yaml"
        content = read_registration(beside.registration)
        copy.write_text(render({**content, "hs_token": "0" * 64}))
        await beside.restart_synapse(copy)
        await init.until_said("with another hs_token than the registration has")
        copy.write_text(render({**content, "url": "http://127.0.0.1:9"}))
        await beside.restart_synapse(copy)
        await init.until_said("Synapse knows Lycatra, and cannot reach it at")
        await beside.restart_synapse(beside.registration)
        assert await init.ended() == 0, init.said


async def test_people_inside_the_namespace_are_found(tmp_path: Path) -> None:
    overrides: dict[str, JSON] = {"user_directory": {"search_all_users": True}}
    async with newcomer(tmp_path, overrides=overrides) as beside:
        await register_person(beside.homeserver, "lycatra", "password")
        await register_person(beside.homeserver, "lycatra_fan", "password")
        async with beside.types_init() as init:
            await init.until_said(WAITS)
            assert "@lycatra:hs.test exists already" in init.said
            assert "Nobody called @alice:hs.test is known there" in init.said
            await beside.restart_synapse(beside.registration)
            assert await init.ended() == 0, init.said
        assert "somebody has logged in as @lycatra:hs.test" in init.said
        assert "@lycatra_fan:hs.test has a name that belongs to @lycatra:hs.test's" in init.said


async def test_a_homeserver_that_encrypts_every_chat_is_explained_instead_of_greeted(
    tmp_path: Path,
) -> None:
    overrides = {"encryption_enabled_by_default_for_room_type": "invite"}
    async with newcomer(tmp_path, overrides=overrides) as beside:
        made = await register_person(beside.homeserver, "alice", "password")
        async with beside.types_init("--greet") as init:
            await init.until_said(WAITS)
            await beside.restart_synapse(beside.registration)
            assert await init.ended() == 1
        assert "encryption_enabled_by_default_for_room_type: off" in init.said
        async with PersonClient(beside.homeserver.url, made) as alice:
            for room_id in await invited_to(alice):
                await alice.join(room_id)
                assert await messages(Room(room_id, alice)) == []


async def test_a_person_is_greeted_once_however_often_init_runs(beside: Newcomer) -> None:
    made = await register_person(beside.homeserver, "alice", "password")
    async with beside.types_init("--greet") as init:
        await init.until_said(WAITS)
        await beside.restart_synapse(beside.registration)
        assert await init.ended() == 0, init.said
    assert (await beside.run("init", "--yes", "--greet"))[0] == 0
    async with PersonClient(beside.homeserver.url, made) as alice:
        [room_id] = await invited_to(alice)
        await alice.join(room_id)
        assert (await beside.run("init", "--yes", "--greet"))[0] == 0
        assert len(await messages(Room(room_id, alice))) == 1
        assert await invited_to(alice) == []


async def test_in_a_terminal_a_few_answers_are_enough(beside: Newcomer) -> None:
    await register_person(beside.homeserver, "alice", "password")
    async with beside.types_in_terminal("init", "--no-model", "--port", str(beside.port)) as init:
        await init.answer("Your own Matrix ID", "alice")
        await init.until_said("it should be a whole Matrix ID")
        await init.answer("(@name:server): ", "@alice:hs.test")
        await init.answer("How Lycatra reaches Synapse", beside.homeserver.url)
        await init.answer("Where does Synapse run?", "1")
        await init.until_said(WAITS)
        await beside.restart_synapse(beside.registration)
        await init.answer("Shall @lycatra:hs.test write to @alice:hs.test now?", "")
        await init.answer("Start Lycatra now?", "y")
        await init.until_said('"event": "ready"')
        init.interrupt()
        assert await init.ended() == 0
