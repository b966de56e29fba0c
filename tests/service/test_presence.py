"""What the leader does: first looks at old rooms, the control room, the heartbeat."""

from pathlib import Path
from urllib.parse import quote

import pytest

from tests.support.ghost import call_as
from tests.support.lycatra import Lycatra
from tests.support.site import Site, running_site
from tests.support.stage import Room, Stage, open_stage, sqlite_in
from tests.support.tables import Tables
from tests.support.waiting import until


async def until_looked_everywhere(tables: Tables, stage: Stage) -> None:
    """Return when each of our users has had its first gap check."""

    async def looked() -> bool:
        rows = await tables.rows("SELECT user_id FROM ghost WHERE next_batch IS NOT NULL")
        return set(stage.users.all) <= {row["user_id"] for row in rows}

    await until(looked, "the first gap check of every user")


@pytest.mark.slow
async def test_an_empty_database_answers_nothing_that_was_said_before(
    stage: Stage, tmp_path: Path
) -> None:
    async with await stage.replica(sqlite_in(tmp_path, "old")) as old:
        room = await stage.room()
        await until_looked_everywhere(Tables(sqlite_in(tmp_path, "old")), stage)
        for words in ("!list updates", "!help"):
            await room.said_to(words)
    stage.proxy.targets.remove(old.port)
    tables = Tables(sqlite_in(tmp_path, "new"))
    new = await stage.replica(sqlite_in(tmp_path, "new"))
    async with new:
        await until_looked_everywhere(tables, stage)
    # Synapse keeps its answer to a first /sync for minutes: the mark must not be that old one.
    async with new:
        await new.until_logged("gap_checked", times=len(stage.users.all))
        assert (await room.settled(tables)).clean
        assert not new.records("gap_found")


@pytest.mark.slow
async def test_a_second_start_writes_no_profile_into_any_room(
    stage: Stage, tmp_path: Path
) -> None:
    replica = await stage.replica(sqlite_in(tmp_path))
    async with replica:
        room = await stage.room()
        await replica.until_logged("virtual_user_ready", times=len(stage.users.all) + 1)
    async with replica:
        await replica.until_logged("leading", times=2)
        await room.settled(Tables(sqlite_in(tmp_path)))
        ours = [
            event["content"]["membership"]
            for event in await room.events()
            if event["type"] == "m.room.member" and event["state_key"] == stage.users.main
        ]
        assert ours == ["invite", "join"]
        assert len(replica.records("virtual_user_ready")) == len(stage.users.all) + 1


async def control_room(site: Site) -> str:
    alias = quote(f"#lycatra_control:{site.homeserver.server_name}")
    answer = await call_as(site, site.users.main, "GET", f"/directory/room/{alias}")
    assert answer.status == 200
    return str(answer.body["room_id"])


@pytest.mark.slow
async def test_two_replicas_make_one_control_room_and_hear_their_heartbeat(
    tmp_path: Path, postgres_dsn: str
) -> None:
    with running_site() as site:
        async with open_stage(site, tmp_path) as stage:
            replicas = [await stage.replica(postgres_dsn) for _ in range(2)]
            for replica in replicas:
                replica.launch()
            for replica in replicas:
                await replica.until_ready()
            await until_heartbeat_is_back(replicas)
            rooms = await call_as(site, site.users.main, "GET", "/joined_rooms")
            assert rooms.status == 200, rooms
            assert rooms.body["joined_rooms"] == [await control_room(site)]
            assert sum(len(replica.records("leading")) for replica in replicas) == 1


async def until_heartbeat_is_back(replicas: list[Lycatra]) -> None:
    async def back() -> bool:
        return any(replica.records("heartbeat_returned") for replica in replicas)

    await until(back, "the heartbeat")
    assert not any(replica.records("heartbeat_missing") for replica in replicas)


@pytest.mark.slow
async def test_what_was_said_before_the_invitation_was_accepted_is_answered(
    stage: Stage, tmp_path: Path
) -> None:
    replica = await stage.replica(sqlite_in(tmp_path))
    async with replica:
        await until_looked_everywhere(Tables(sqlite_in(tmp_path)), stage)
    person = await stage.person()
    room_id = await person.create_room(invite=[stage.users.main], is_direct=True)
    room = Room(room_id, person)
    asked = await room.ask("!help")  # Synapse does not push it: nobody of ours is in the room
    async with replica:
        assert "!list updates" in (await room.answer_to(asked))["content"]["body"]
