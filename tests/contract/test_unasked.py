"""What is said unasked, on both databases: once, and never two in an hour and room."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from lycatra_appservice.chat.room_settings import RoomSettings
from lycatra_appservice.chat.unasked import Kind, NoticeStore, Unasked
from lycatra_appservice.db.connection import Database
from lycatra_appservice.db.statements import parse_statement
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.model import Outgoing, RoomID
from lycatra_appservice.turns.turn import Turn
from tests.contract.conftest import Replicas
from tests.support.turns import Replica, ScriptedHandler, query, trigger, until_ended

ROOM, OTHER_ROOM = RoomID("!room"), RoomID("!other")


@pytest.fixture
def notices(database: Database) -> NoticeStore:
    return NoticeStore(database)


async def let_pass(database: Database, span: timedelta) -> None:
    """What the database's clock would do."""
    await database.execute(
        parse_statement("age", "UPDATE notice SET at = at - :ms, expires_at = expires_at - :ms"),
        ms=round(span / timedelta(milliseconds=1)),
    )


async def test_in_an_hour_and_room_one_thing_is_said(
    notices: NoticeStore, database: Database
) -> None:
    assert await notices.take(ROOM, "$1|welcome", None)
    assert not await notices.take(ROOM, "$2|too_old", None)
    assert not await notices.take(ROOM, "$1|too_old", None)  # not by the same turn either
    assert await notices.take(OTHER_ROOM, "$2|too_old", None)

    await let_pass(database, timedelta(minutes=59))
    assert not await notices.take(ROOM, "$2|too_old", None)
    await let_pass(database, timedelta(minutes=2))
    assert await notices.take(ROOM, "$2|too_old", None)
    assert not await notices.take(ROOM, "$1|welcome", None)


async def test_who_may_say_it_hears_so_again_after_a_crash_and_gains_no_time(
    notices: NoticeStore, database: Database
) -> None:
    assert await notices.take(ROOM, "$1|welcome", "welcome|!room")
    await let_pass(database, timedelta(minutes=30))
    assert await notices.take(ROOM, "$1|welcome", "welcome|!room")
    await let_pass(database, timedelta(minutes=31))
    assert await notices.take(ROOM, "$2|too_old", None)


async def test_a_thing_said_once_is_not_said_again_however_long_ago(
    notices: NoticeStore, database: Database
) -> None:
    assert not await notices.was_said("welcome|!room")
    assert await notices.take(ROOM, "$1|welcome", "welcome|!room")
    assert await notices.was_said("welcome|!room")
    await let_pass(database, timedelta(days=1000))
    await notices.forget_expired()

    assert await notices.was_said("welcome|!room")
    assert not await notices.take(ROOM, "$2|welcome", "welcome|!room")
    assert await notices.take(ROOM, "$2|too_old", None)  # the refusal has not used up the hour


async def test_what_is_held_back_for_the_hours_sake_may_be_said_later(
    notices: NoticeStore, database: Database
) -> None:
    assert await notices.take(ROOM, "$1|too_old", None)
    assert not await notices.take(ROOM, "$2|welcome", "welcome|!room")
    assert not await notices.was_said("welcome|!room")
    await let_pass(database, timedelta(hours=1))
    assert await notices.take(ROOM, "$3|welcome", "welcome|!room")


async def test_what_must_be_said_takes_the_hour_from_the_others(notices: NoticeStore) -> None:
    assert await notices.take(ROOM, "$1|welcome", None)
    assert await notices.take(ROOM, "$2|encrypted", "encrypted|!room", anyway=True)
    assert not await notices.take(ROOM, "$3|encrypted", "encrypted|!room", anyway=True)
    assert not await notices.take(ROOM, "$1|welcome", None)


async def test_hours_that_are_over_are_forgotten(notices: NoticeStore, database: Database) -> None:
    assert await notices.take(ROOM, "$1|welcome", "welcome|!room")
    await let_pass(database, timedelta(hours=2))
    assert await notices.take(OTHER_ROOM, "$2|welcome", "welcome|!other")

    await notices.forget_expired()

    kept = {row["key"] for row in await query(database, "SELECT key FROM notice")}
    assert kept == {"welcome|!room", "welcome|!other", "unasked|!other"}


async def test_of_two_replicas_one_says_it(database_pair: tuple[Database, Database]) -> None:
    replicas = [NoticeStore(database) for database in database_pair]
    for round_ in range(5):
        room = RoomID(f"!room{round_}")
        async with asyncio.timeout(30):
            said = await asyncio.gather(
                *(replicas[n % 2].take(room, f"${n}|welcome", f"welcome|{room}") for n in range(8))
            )
        assert sorted(said) == [False] * 7 + [True]


async def test_of_two_replicas_one_gets_an_hour_that_is_over(
    database_pair: tuple[Database, Database],
) -> None:
    replicas = [NoticeStore(database) for database in database_pair]
    assert await replicas[0].take(ROOM, "$0|hints", None)
    await let_pass(database_pair[0], timedelta(hours=1))
    async with asyncio.timeout(30):
        said = await asyncio.gather(
            *(replicas[n % 2].take(ROOM, f"${n}|too_old", None) for n in range(1, 9))
        )
    assert sorted(said) == [False] * 7 + [True]


# In a turn


VIEW = RoomView(room_id=ROOM, name=None, encrypted=False, people={}, ours=frozenset())


def unasked_by(replica: Replica) -> Unasked:
    return Unasked(NoticeStore(replica.database), RoomSettings(), replica.figures)


async def test_a_turn_that_is_run_again_hears_the_same(replicas: Replicas) -> None:
    heard: list[bool] = []
    handler = ScriptedHandler()
    replica = await replicas.add(handler)
    unasked = unasked_by(replica)

    async def break_once(turn: Turn) -> Sequence[Outgoing]:
        heard.append(await unasked.may(turn, VIEW, Kind.TOO_OLD, "once"))
        if len(heard) == 1:
            raise RuntimeError("after it was decided")
        # Whatever happened meanwhile.
        await query(replica.database, "DELETE FROM notice")
        heard.append(await unasked.may(turn, VIEW, Kind.TOO_OLD, "once"))
        return ()

    handler.scripts["$1"] = break_once
    await replica.inbox.store([trigger("$1")])
    await replica.start()
    await until_ended(replica.database)

    assert heard == [True, True, True]
    assert replica.figures.unasked_ones == {("too_old", "said"): 1}


async def test_one_turn_does_not_say_two_things_in_a_room(replicas: Replicas) -> None:
    heard: list[bool] = []
    handler = ScriptedHandler()
    replica = await replicas.add(handler)
    unasked = unasked_by(replica)

    async def ask_twice(turn: Turn) -> Sequence[Outgoing]:
        kinds = (Kind.WELCOME, Kind.EDITED, Kind.ENCRYPTED)
        heard.extend([await unasked.may(turn, VIEW, kind) for kind in kinds])
        return ()

    handler.scripts["$1"] = ask_twice
    await replica.inbox.store([trigger("$1")])
    await replica.start()
    await until_ended(replica.database)

    assert heard == [True, False, True]  # an encrypted room must always be explained
    assert replica.figures.unasked_ones == {
        ("welcome", "said"): 1,
        ("edited", "held_back"): 1,
        ("encrypted", "said"): 1,
    }
