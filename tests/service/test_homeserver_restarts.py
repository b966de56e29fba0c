"""Synapse goes and comes back, alone or together with us; what was asked is answered once."""

from pathlib import Path

import pytest

from tests.support.gate import Gate
from tests.support.lycatra import Lycatra
from tests.support.proxy import Mode
from tests.support.stage import Room, Stage, sqlite_in
from tests.support.tables import Tables
from tests.support.waiting import until


@pytest.mark.slow
async def test_messages_of_our_own_absence_are_answered_after_the_start(
    stage: Stage, tmp_path: Path
) -> None:
    replica = await stage.replica(sqlite_in(tmp_path))
    async with replica:
        room = await stage.room()
    for words in ("!list updates", "!help", "!list updates limit=1"):
        await room.ask(words)
    async with replica:
        await room.answers()
        assert (await room.settled(Tables(sqlite_in(tmp_path)))).clean


@pytest.mark.slow
async def test_transaction_ids_that_begin_again_swallow_no_message(
    stage: Stage, tmp_path: Path
) -> None:
    # Synapse on SQLite counts its transactions from 1 after every start.
    tables = Tables(sqlite_in(tmp_path))
    async with await stage.replica(sqlite_in(tmp_path)):
        room = await stage.room()
        for _ in range(6):
            await room.said_to("!list updates")
        await stage.site.homeserver.restart()
        for _ in range(8):
            await room.said_to("!help")
        assert (await room.settled(tables)).clean
        assert len(room.asked) == 15


@pytest.mark.slow
async def test_synapse_restarted_while_a_tool_works_gets_the_answer_once(
    stage: Stage, tmp_path: Path
) -> None:
    async with Gate() as gate:
        tables = Tables(sqlite_in(tmp_path))
        async with await stage.replica(sqlite_in(tmp_path), more={"tools": gate.as_tools()}):
            room = await stage.room()
            asked = await room.ask("!get service status")
            await gate.reached()
            await stage.site.homeserver.kill()
            gate.open()
            await tables.until_state(asked, "sending")
            await stage.site.homeserver.start()
            await room.answers()
            assert (await room.settled(tables)).clean


@pytest.mark.slow
async def test_synapse_killed_before_it_could_confirm_a_send_shows_it_once(
    stage: Stage, tmp_path: Path
) -> None:
    homeserver = await stage.homeserver_proxy()
    tables = Tables(sqlite_in(tmp_path))
    async with await stage.replica(sqlite_in(tmp_path), homeserver_url=homeserver.url):
        room = await stage.room()
        await room.said_to("!list updates")
        homeserver.set(Mode.HOLD_ANSWERS)
        await room.answer_to(await room.ask("!list updates limit=1"))
        await stage.site.homeserver.kill()
        homeserver.cut()
        homeserver.set(Mode.PASS)
        await stage.site.homeserver.start()
        await tables.until_idle()
        assert (await room.settled(tables)).clean


@pytest.mark.slow
@pytest.mark.parametrize("end", ["stopped", "killed"])
async def test_messages_of_our_absence_survive_a_restart_of_synapse(
    stage: Stage, tmp_path: Path, end: str
) -> None:
    replica = await stage.replica(sqlite_in(tmp_path))
    async with replica:
        room = await stage.room()
    for words in ("!list updates", "!help"):
        await room.ask(words)
    if end == "killed":
        await stage.site.homeserver.kill()
    await stage.site.homeserver.restart()
    async with replica:
        await room.answers()
        assert (await room.settled(Tables(sqlite_in(tmp_path)))).clean


async def lose_what_is_queued(stage: Stage, tables: Tables, room: Room) -> None:
    """Have Synapse forget messages: behind a push without an answer they are only in memory."""
    stage.proxy.set(Mode.HOLD_ANSWERS, only="limit=31")
    await tables.until_stored(await room.ask("!list updates limit=31"))
    for words in ("!help", "!list updates limit=1", "!help", "!list updates limit=2"):
        await room.ask(words)


@pytest.mark.slow
@pytest.mark.parametrize("end", ["stopped", "killed"])
async def test_events_that_synapse_forgot_are_found_by_the_gap_check(
    stage: Stage, tmp_path: Path, end: str
) -> None:
    tables = Tables(sqlite_in(tmp_path))
    replica = await stage.replica(sqlite_in(tmp_path))
    async with replica:
        room = await stage.room()
        await _until_marked(tables, stage)
        await lose_what_is_queued(stage, tables, room)
        forgotten_room = await room.person.create_room("another", invite=[stage.users.main])
        if end == "killed":
            await stage.site.homeserver.kill()
        await stage.site.homeserver.restart()
        assert await tables.turn(room.asked[-1]) is None
    stage.proxy.cut()
    stage.proxy.set(Mode.PASS)
    async with replica:
        await room.answers()
        await room.person.wait_for_member(forgotten_room, stage.users.main)
        assert (await room.settled(tables)).clean
        assert _found_by_the_gap_check(replica)


async def _until_marked(tables: Tables, stage: Stage) -> None:
    async def marked() -> bool:
        rows = await tables.rows("SELECT user_id FROM ghost WHERE next_batch IS NOT NULL")
        return stage.users.main in {row["user_id"] for row in rows}

    await until(marked, "the first gap check")


def _found_by_the_gap_check(replica: Lycatra) -> bool:
    return any(record["turns"] for record in replica.records("gap_found"))
