"""Questions of servers to people, on both databases: one answer, by the right person, in time."""

import json
from datetime import timedelta

import pytest

from lycatra_appservice.db.connection import Database
from lycatra_appservice.model import RoomID, UserID
from lycatra_appservice.turns.questions import QuestionTable, RemoteLists, StoredQuestion
from tests.support.turns import query

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
    assert await table.answer_of("AAAAAA") is None


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
