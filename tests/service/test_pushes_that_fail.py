"""Pushes whose answer is lost, spoilt or refused: Synapse sends again, we answer once."""

from pathlib import Path

import pytest

from tests.support.postgres import OwnPostgresServer
from tests.support.proxy import Mode
from tests.support.pushes import message
from tests.support.stage import Stage, sqlite_in
from tests.support.tables import Tables
from tests.support.waiting import until


@pytest.mark.parametrize(
    "mode", [Mode.DROP_ANSWERS, pytest.param(Mode.WEB_PAGES, marks=pytest.mark.slow)]
)
async def test_an_acknowledgement_that_never_arrives_costs_no_second_answer(
    stage: Stage, tmp_path: Path, mode: Mode
) -> None:
    tables = Tables(sqlite_in(tmp_path))
    async with await stage.replica(sqlite_in(tmp_path)):
        room = await stage.room()
        stage.proxy.set(mode, only="limit=31")
        await tables.until_stored(await room.ask("!list updates limit=31"))
        await room.ask("!help")
        await room.answer_to(room.asked[0])  # what is stored is answered, come what may
        stage.proxy.set(Mode.PASS)
        await room.answers()
        assert (await room.settled(tables)).clean


@pytest.mark.slow
async def test_an_acknowledgement_that_comes_late_holds_up_what_follows_and_loses_nothing(
    stage: Stage, tmp_path: Path
) -> None:
    tables = Tables(sqlite_in(tmp_path))
    async with await stage.replica(sqlite_in(tmp_path)):
        room = await stage.room()
        stage.proxy.set(Mode.HOLD_ANSWERS, only="limit=31")
        await tables.until_stored(await room.ask("!list updates limit=31"))
        for words in ("!help", "!list updates limit=1", "!help"):
            await room.ask(words)
        await room.answer_to(room.asked[0])
        assert await tables.turn(room.asked[-1]) is None
        stage.proxy.set(Mode.PASS)
        await room.answers()
        assert (await room.settled(tables)).clean


@pytest.mark.slow
async def test_messages_of_a_time_without_database_are_refused_then_all_answered_once(
    stage: Stage, stoppable_postgres: OwnPostgresServer
) -> None:
    async with stoppable_postgres.fresh_database() as dsn:
        tables = Tables(dsn)
        async with await stage.replica(dsn) as replica:
            room = await stage.room()
            await room.said_to("!help")
            await stoppable_postgres.stop_immediately()
            pushed = await stage.pusher(replica).push(
                [message(room.room_id, room.person.user_id, "!never stored")]
            )
            assert (pushed.status, pushed.errcode) == (503, "M_UNAVAILABLE")
            for words in ("!list updates", "!help", "!get service status"):
                await room.ask(words)

            async def not_ready() -> bool:
                status, body = await replica.get("/readyz")
                return status == 503 and "database" in body

            await until(not_ready, "/readyz saying that the database is away")
            assert (await replica.get("/healthz"))[0] == 200
            await stoppable_postgres.start()
            await room.answers()
            assert (await room.settled(tables)).clean
            await replica.until_ready()
