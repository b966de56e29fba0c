"""kill -9 at exact points of a turn; the next start finishes it, with one answer."""

import asyncio
import signal
from pathlib import Path

import pytest

from lycatra_appservice.model import EventID
from tests.support.gate import Gate
from tests.support.ghost import call_as
from tests.support.lycatra import Lycatra
from tests.support.model_server import calls, is_silent, model_server, says
from tests.support.proxy import Mode
from tests.support.stage import Room, Stage, sqlite_in
from tests.support.tables import Tables
from tests.support.waiting import until

pytestmark = pytest.mark.slow

CHECK_SERVICES = ("get_service_status", "{}")


async def until_said(room: Room, event_id: EventID) -> None:
    """Return when the answer stands in the room, whatever the service knows of it."""
    await room.answer_to(event_id)


async def until_drained_away(replica: Lycatra) -> None:
    async def gone() -> bool:
        return not replica.child.is_running

    await until(gone, "the end of the process")


async def test_a_kill_between_the_commit_and_the_200_answers_once(
    stage: Stage, tmp_path: Path
) -> None:
    tables = Tables(sqlite_in(tmp_path))
    replica = await stage.replica(sqlite_in(tmp_path))
    async with replica:
        room = await stage.room()
        stage.proxy.set(Mode.HOLD_ANSWERS, only="limit=31")
        await tables.until_stored(await room.ask("!list updates limit=31"))
        replica.kill()
        stage.proxy.cut()
        stage.proxy.set(Mode.PASS)
        await replica.start()
        await room.answers()
        assert (await room.settled(tables)).clean


async def test_a_kill_before_the_tool_runs_it_after_the_restart(
    stage: Stage, tmp_path: Path
) -> None:
    homeserver = await stage.homeserver_proxy()
    async with Gate() as gate:
        gate.open()
        old = await stage.replica(sqlite_in(tmp_path, "old"))
        async with old:
            room = await stage.room()
        stage.proxy.targets.clear()
        tables = Tables(sqlite_in(tmp_path))
        replica = await stage.replica(
            sqlite_in(tmp_path), homeserver_url=homeserver.url, more={"tools": gate.as_tools()}
        )
        async with replica:
            await replica.until_logged("leading")
            # An empty database knows no room: it is asked for before anything is run.
            homeserver.set(Mode.HOLD_ANSWERS)
            await tables.until_state(await room.ask("!get service status"), "running")
            replica.kill()
            assert gate.arrivals == 0
            homeserver.set(Mode.PASS)
            await replica.start()
            await room.answers()
            assert gate.arrivals == 1
            assert (await room.settled(tables)).clean


async def test_a_kill_inside_the_tool_asks_the_tool_again_and_answers_once(
    stage: Stage, tmp_path: Path
) -> None:
    async with Gate() as gate:
        tables = Tables(sqlite_in(tmp_path))
        replica = await stage.replica(sqlite_in(tmp_path), more={"tools": gate.as_tools()})
        async with replica:
            room = await stage.room()
            await room.ask("!get service status")
            await gate.reached()
            replica.kill()
            await replica.start()
            await gate.reached(2)
            gate.open()
            await room.answers()
            assert (await room.settled(tables)).clean


async def test_a_kill_while_the_model_is_silent_asks_it_again_and_answers_once(
    stage: Stage, tmp_path: Path
) -> None:
    async with model_server() as model:
        model.will(is_silent(model), says("Here I am."))
        tables = Tables(sqlite_in(tmp_path))
        replica = await stage.replica(sqlite_in(tmp_path), model_url=model.base_url)
        async with replica:
            room = await stage.room()
            asked = await room.ask("lycatra: are you there?")
            async with asyncio.timeout(45):
                await model.hanging.wait()
            replica.kill()
            await replica.start()
            assert (await room.answer_to(asked))["content"]["body"] == "Here I am."
            await tables.until_idle()
            assert (await room.findings()).clean


async def test_a_resumed_question_asks_the_model_nothing_that_it_has_said_already(
    stage: Stage, tmp_path: Path
) -> None:
    async with Gate() as gate, model_server() as model:
        # Two requests in all, of which the first is answered before the kill.
        model.will(calls(CHECK_SERVICES), says("All is fine."))
        tables = Tables(sqlite_in(tmp_path))
        replica = await stage.replica(
            sqlite_in(tmp_path), model_url=model.base_url, more={"tools": gate.as_tools()}
        )
        async with replica:
            room = await stage.room()
            asked = await room.ask("lycatra: is all fine?")
            await gate.reached()
            replica.kill()
            await replica.start()
            await gate.reached(2)
            gate.open()
            assert (await room.answer_to(asked))["content"]["body"] == "All is fine."
            await tables.until_idle()
            assert (await room.findings()).clean


@pytest.mark.parametrize(
    "synapse",
    [
        "stays",
        pytest.param("restarts", marks=pytest.mark.slow),
        pytest.param("forgets our ids", marks=pytest.mark.slow),
    ],
)
async def test_a_kill_between_the_send_and_its_mark_sends_nothing_again(
    stage: Stage, tmp_path: Path, synapse: str
) -> None:
    homeserver = await stage.homeserver_proxy()
    tables = Tables(sqlite_in(tmp_path))
    replica = await stage.replica(sqlite_in(tmp_path), homeserver_url=homeserver.url)
    async with replica:
        room = await stage.room()
        await room.said_to("!list updates")  # brings the virtual user into the room
        await tables.until_idle()  # the greeting is over, too
        homeserver.set(Mode.HOLD_ANSWERS)
        asked = await room.ask("!list updates limit=1")
        await until_said(room, asked)
        unmarked = await tables.unfinished()
        assert [row["trigger_id"] for row in unmarked] == [asked, asked]
        replica.kill()
        homeserver.cut()
        homeserver.set(Mode.PASS)
        if synapse == "forgets our ids":  # they go with the device; ours looks before it sends
            device = f"/devices/{stage.users.device_id}"
            await call_as(stage.site, stage.users.of("updates"), "DELETE", device)
        if synapse != "stays":
            await stage.site.homeserver.restart()
        await replica.start()
        assert (await room.settled(tables)).clean
        (sent,) = [
            row["event_id"]
            for row in await tables.rows("SELECT * FROM send WHERE kind = 'message'")
            if row["trigger_id"] == asked
        ]
        assert sent == (await room.answer_to(asked))["event_id"]


async def test_a_kill_while_it_drains_answers_once(stage: Stage, tmp_path: Path) -> None:
    async with Gate() as gate:
        tables = Tables(sqlite_in(tmp_path))
        replica = await stage.replica(sqlite_in(tmp_path), more={"tools": gate.as_tools()})
        async with replica:
            room = await stage.room()
            await room.ask("!get service status")
            await gate.reached()
            replica.signal(signal.SIGTERM)
            await replica.until_logged("draining")
            await tables.until_stored(await room.ask("!list updates"))  # still taken in
            replica.kill()
            gate.open()
            await replica.start()
            await room.answers()
            assert (await room.settled(tables)).clean


async def test_a_replica_that_is_told_to_stop_is_not_ready_and_finishes_what_it_has_begun(
    stage: Stage, tmp_path: Path
) -> None:
    async with Gate() as gate:
        tables = Tables(sqlite_in(tmp_path))
        replica = await stage.replica(sqlite_in(tmp_path), more={"tools": gate.as_tools()})
        async with replica:
            room = await stage.room()
            asked = await room.ask("!get service status")
            await gate.reached()
            replica.signal(signal.SIGTERM)

            async def draining() -> bool:
                status, body = await replica.get("/readyz")
                return status == 503 and "shutting down" in body

            await until(draining, "/readyz saying that it shuts down")
            assert (await replica.get("/healthz"))[0] == 200
            assert (await stage.pusher(replica).push([])).status == 200
            gate.open()
            await room.answer_to(asked)
            await until_drained_away(replica)
            assert replica.child.exit_code == 0
            turn = await tables.turn(asked)
            assert turn is not None
            assert turn["state"] == "done"
            assert (await room.findings()).clean


async def test_a_turn_that_kills_its_process_every_time_ends_with_an_apology(
    stage: Stage, tmp_path: Path
) -> None:
    async with Gate() as gate:
        tables = Tables(sqlite_in(tmp_path))
        replica = await stage.replica(sqlite_in(tmp_path), more={"tools": gate.as_tools()})
        async with replica:
            room = await stage.room()
            asked = await room.ask("!get service status")
            for crash in range(1, 6):
                await gate.reached(crash)
                replica.kill()
                await replica.start()
            body = (await room.answer_to(asked))["content"]["body"]
            assert "more than once" in body
            assert gate.arrivals == 5
            assert (await room.settled(tables)).clean
