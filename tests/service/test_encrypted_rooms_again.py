"""What was said in an encrypted room is not said again by another replica, or after a loss."""

from pathlib import Path

import pytest

from tests.support.encrypted import (
    direct_chats,
    encrypted_room,
    only_the_notice,
    opened_for,
    ours,
    whisper,
)
from tests.support.lycatra import Lycatra
from tests.support.stage import Stage, sqlite_in
from tests.support.tables import Tables


@pytest.mark.slow
async def test_two_replicas_and_a_restart_say_it_once(
    stage: Stage, tmp_path: Path, postgres_dsn: str
) -> None:
    replicas: list[Lycatra] = [await stage.replica(postgres_dsn) for _ in range(2)]
    for replica in replicas:
        replica.launch()
    for replica in replicas:
        await replica.until_ready()
    tables = Tables(postgres_dsn)
    person = await stage.person()
    rooms = [await encrypted_room(stage, person) for _ in range(2)]
    for room in rooms:
        await whisper(room)
    for room in rooms:
        await only_the_notice(stage, room, tables)
    chat = await opened_for(stage, person, tables)
    replicas[0].kill()
    await replicas[0].start()
    for room in rooms:
        await whisper(room)
    await chat.said_to("!help")
    for room in rooms:
        await only_the_notice(stage, room, tables)
    assert await direct_chats(person) == []


@pytest.mark.slow
async def test_an_empty_database_finds_the_notice_and_the_direct_chat(
    stage: Stage, tmp_path: Path
) -> None:
    person = await stage.person()
    old = await stage.replica(sqlite_in(tmp_path, "old"))
    async with old:
        room = await encrypted_room(stage, person)
        await only_the_notice(stage, room, Tables(sqlite_in(tmp_path, "old")))
        chat = await opened_for(stage, person, Tables(sqlite_in(tmp_path, "old")))
        await chat.said_to("!help")
        greeted = [event["event_id"] for event in ours(stage, await chat.events())]
    stage.proxy.targets.remove(old.port)
    tables = Tables(sqlite_in(tmp_path, "new"))
    async with await stage.replica(sqlite_in(tmp_path, "new")):
        event = await whisper(room)
        await tables.until_state(event, "done")
        await only_the_notice(stage, room, tables)
        said = [event["event_id"] for event in ours(stage, await chat.events())]
        assert said == greeted
        assert await direct_chats(person) == []
