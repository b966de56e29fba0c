"""Questions of servers to people, on both databases: one answer, by the right person, in time."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from lycatra_appservice.db.connection import Database
from lycatra_appservice.db.open import OpenedDatabase, new_owner_id, open_database
from lycatra_appservice.model import Caller, Face, RoomID, UserID
from lycatra_appservice.toolkit.questions import Answer, Question, Reaction
from lycatra_appservice.toolkit.stored_questions import StoredQuestions
from lycatra_appservice.turns.questions import (
    QuestionOverError,
    QuestionTable,
    RemoteLists,
    StoredQuestion,
)
from tests.support.turns import query
from tests.support.waiting import until

ROOM = RoomID("!room")
PERSON, OTHER = UserID("@person:hs.test"), UserID("@other:hs.test")
SOON = timedelta(minutes=3)
YES = {"reaction": "accept", "content": {"size": 3}}


def a_question(code: str = "AAAAAA", *, person: UserID = PERSON) -> StoredQuestion:
    return StoredQuestion(
        code=code,
        namespace="peer",
        tool="order",
        room_id=ROOM,
        person=person,
        asked_by="$event",
        message="Which size?",
        form={"properties": {"size": {"type": "integer"}}},
    )


@pytest.fixture
def table(database: Database) -> QuestionTable:
    return QuestionTable(database)


async def test_a_question_is_kept_with_the_turn_that_asks_it(
    table: QuestionTable, database: Database
) -> None:
    await table.put(a_question(), SOON)

    turns = await query(database, "SELECT trigger_id, input FROM turn")

    assert [row["trigger_id"] for row in turns] == ["question:AAAAAA"]
    assert json.loads(turns[0]["input"]) == {"code": "AAAAAA"}
    assert await table.find("AAAAAA") == a_question()
    assert await table.open_in(ROOM) == [a_question()]


async def test_the_first_answer_counts_and_only_that_of_who_was_asked(
    table: QuestionTable,
) -> None:
    await table.put(a_question(), SOON)

    by_another = await table.answer("AAAAAA", OTHER, YES)
    first = await table.answer("AAAAAA", PERSON, YES)
    second = await table.answer("AAAAAA", PERSON, {"reaction": "decline", "content": {}})

    assert (by_another, first, second) == (False, True, False)
    assert await table.answer_of("AAAAAA") == YES
    assert await table.open_in(ROOM) == []


async def test_what_is_over_takes_no_answer(table: QuestionTable) -> None:
    await table.put(a_question(), -SOON)

    assert not await table.answer("AAAAAA", PERSON, YES)
    assert await table.find("AAAAAA") is None
    assert await table.open_in(ROOM) == []


async def test_a_closed_question_keeps_no_words(table: QuestionTable, database: Database) -> None:
    await table.put(a_question(), SOON)
    await table.answer("AAAAAA", PERSON, YES)

    await table.close("AAAAAA")

    [row] = await query(database, "SELECT message, form, answer FROM question")
    assert (row["message"], row["form"], row["answer"]) == ("", "{}", None)
    with pytest.raises(QuestionOverError):
        await table.answer_of("AAAAAA")


async def test_taking_a_message_back_erases_what_was_asked_for_it(
    table: QuestionTable, database: Database
) -> None:
    await table.put(a_question(), SOON)

    async with database.transaction() as connection:
        await table.forget_turn(connection, "$event")

    [row] = await query(database, "SELECT message FROM question")
    assert row["message"] == ""
    assert not await table.answer("AAAAAA", PERSON, YES)


async def test_old_questions_go_when_a_new_one_comes(
    table: QuestionTable, database: Database
) -> None:
    await table.put(a_question("OLDOLD"), -timedelta(days=2))
    await table.put(a_question("NEWNEW"), SOON)

    rows = await query(database, "SELECT code FROM question")

    assert [row["code"] for row in rows] == ["NEWNEW"]


async def test_the_last_list_of_a_server_is_kept(database: Database) -> None:
    lists = RemoteLists(database)

    before = await lists.read("peer")
    await lists.write("peer", "one")
    await lists.write("peer", "two")

    assert before is None
    assert await lists.read("peer") == "two"


ASKER = Caller(user_id=PERSON, face=Face.COMMAND, room_id=ROOM, on_behalf_of_turn="$event")
ASKED = Question(namespace="peer", tool="order", message="Which size?", form={})


async def question_in(table: QuestionTable) -> StoredQuestion:
    """Wait until one is asked."""
    found: list[StoredQuestion] = []

    async def came() -> bool:
        found[:] = await table.open_in(ROOM)
        return bool(found)

    await until(came, "a question")
    return found[0]


async def test_an_answer_that_another_replica_took_reaches_the_call(database_url: str) -> None:
    async with opened(database_url) as here, opened(database_url) as there:
        asking = StoredQuestions(QuestionTable(here.database), here.signals)
        call = asyncio.create_task(asking.ask(ASKED, ASKER, SOON))
        table = QuestionTable(there.database)
        question = await question_in(table)
        await table.answer(question.code, PERSON, YES)

        answer = await call

        assert answer == Answer(reaction=Reaction.ACCEPT, content={"size": 3})
        assert await table.open_in(ROOM) == []


async def test_a_question_whose_message_is_taken_back_waits_no_longer(database_url: str) -> None:
    async with opened(database_url) as here:
        table = QuestionTable(here.database)
        asking = StoredQuestions(table, here.signals)
        call = asyncio.create_task(asking.ask(ASKED, ASKER, SOON))
        await question_in(table)
        async with here.database.transaction() as connection:
            await table.forget_turn(connection, "$event")

        assert (await call).reaction is Reaction.CANCEL


async def test_without_an_answer_or_a_room_the_server_hears_that_there_is_none(
    database_url: str,
) -> None:
    nowhere = Caller(user_id=PERSON, face=Face.MCP)
    async with opened(database_url) as here:
        asking = StoredQuestions(QuestionTable(here.database), here.signals)

        late = await asking.ask(ASKED, ASKER, timedelta(milliseconds=50))
        unasked = await asking.ask(ASKED, nowhere, SOON)

        assert (late.reaction, unasked.reaction) == (Reaction.CANCEL, Reaction.CANCEL)


async def test_a_secret_of_the_configuration_is_in_no_question(database_url: str) -> None:
    async with opened(database_url) as here:
        table = QuestionTable(here.database)
        asking = StoredQuestions(
            table, here.signals, conceal=lambda text: text.replace("ghp_1", "***")
        )
        form = {"properties": {"size": {"description": "for ghp_1"}}}
        asked = Question(namespace="peer", tool="order", message="With ghp_1?", form=form)
        call = asyncio.create_task(asking.ask(asked, ASKER, SOON))
        question = await question_in(table)
        await table.answer(question.code, PERSON, YES)
        await call

        assert "ghp_1" not in f"{question.message} {question.form}"
        assert "***" in question.message


class OneDirectRoom:
    """Everybody's."""

    async def open(self, person: UserID) -> RoomID:
        return ROOM


async def test_a_call_that_came_from_no_room_is_asked_about_in_the_direct_one(
    database_url: str,
) -> None:
    nowhere = Caller(user_id=PERSON, face=Face.MCP)
    async with opened(database_url) as here:
        table = QuestionTable(here.database)
        asking = StoredQuestions(table, here.signals, OneDirectRoom())
        call = asyncio.create_task(asking.ask(ASKED, nowhere, SOON))
        question = await question_in(table)
        await table.answer(question.code, PERSON, YES)

        assert (await call).reaction is Reaction.ACCEPT


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[OpenedDatabase]:
    """As one more replica."""
    found = await open_database(url, owner=new_owner_id())
    listening = asyncio.create_task(found.signals.run())
    try:
        yield found
    finally:
        listening.cancel()
        await asyncio.wait([listening])
        await found.database.close()
