"""Changes that MCP clients ask for: one call of each wish, whoever asks, however often."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from lycatra_appservice.db.connection import Database
from lycatra_appservice.mcp.calls import CallStore, Wish
from lycatra_appservice.mcp.endings import Endings
from lycatra_appservice.mcp.tokens import NewToken, TokenStore
from lycatra_appservice.model import RoomID, UserID
from tests.support.turns import query

WISH = Wish(
    token_id="t1",
    person=UserID("@anna:hs.test"),
    client="laptop",
    room_id=None,
    tool="restart_service",
    args={"service": "web", "force": False},
)


async def test_however_many_ask_for_the_same_at_once_one_turn_comes_of_it(
    database_pair: tuple[Database, Database],
) -> None:
    stores = [CallStore(each) for each in database_pair]
    calls = await asyncio.gather(*(stores[n % 2].join(WISH) for n in range(10)))
    assert len({call.id for call in calls}) == 1
    turns = await query(database_pair[0], "SELECT trigger_id FROM turn")
    assert [turn["trigger_id"] for turn in turns] == [calls[0].trigger_id]


@pytest.mark.parametrize(
    "other",
    [
        {"person": UserID("@berta:hs.test")},
        {"room_id": RoomID("!room")},
        {"tool": "deploy_update"},
        {"args": {"service": "shop", "force": False}},
    ],
)
async def test_what_is_otherwise_is_another_call(
    database: Database, other: dict[str, object]
) -> None:
    calls = CallStore(database)
    first = await calls.join(WISH)
    assert (await calls.join(replace(WISH, **other))).id != first.id  # type: ignore[arg-type]


async def test_another_client_of_the_person_joins_the_same_call(database: Database) -> None:
    calls = CallStore(database)
    first = await calls.join(WISH)
    assert (await calls.join(replace(WISH, client="phone"))).id == first.id


async def test_the_first_ending_stays_and_once_fetched_the_wish_is_a_new_one(
    database: Database,
) -> None:
    calls = CallStore(database)
    call = await calls.join(WISH)
    await calls.end(call.id, {"failed": "one"})
    await calls.end(call.id, {"failed": "two"})
    ended = await calls.join(WISH)
    assert (ended.id, ended.ending) == (call.id, {"failed": "one"})
    await calls.fetched(call.id)
    await calls.fetched(call.id)
    assert (await calls.join(WISH)).id != call.id
    known = await calls.get(call.id)
    assert known is not None
    assert known.ending == {"failed": "one"}


async def test_a_call_whose_turn_is_over_without_an_ending_is_forsaken(
    database: Database,
) -> None:
    calls = CallStore(database)
    call = await calls.join(WISH)
    await query(database, "UPDATE turn SET state = 'failed', finished_at = 1 RETURNING id")
    known = await calls.get(call.id)
    assert known is not None
    assert known.is_forsaken


async def test_whoever_ends_the_token_disowns_its_calls_and_its_age_does_not(
    database: Database,
) -> None:
    calls, tokens = CallStore(database), TokenStore(database)
    secret = await tokens.make(NewToken(owner=WISH.person, name="laptop"))
    token = await tokens.find(secret)
    assert token is not None
    call = await calls.join(replace(WISH, token_id=token.id))
    alive = await calls.get(call.id)
    await tokens.end(token, "owner")
    revoked = await calls.get(call.id)
    await query(database, "UPDATE mcp_token SET ended_by = 'time' RETURNING id")
    too_old = await calls.get(call.id)
    assert [each and each.is_disowned for each in (alive, revoked, too_old)] == [
        False,
        True,
        False,
    ]


async def test_who_waits_hears_of_an_end_that_nobody_told(
    database_pair: tuple[Database, Database],
) -> None:
    here, there = (CallStore(each) for each in database_pair)
    call = await here.join(WISH)
    waiting = asyncio.ensure_future(Endings(here).wait(call, 30))
    await there.end(call.id, {"failed": "one"})
    async with asyncio.timeout(10):
        assert (await waiting).ending == {"failed": "one"}


async def test_old_calls_are_forgotten_with_what_they_gave(database: Database) -> None:
    calls = CallStore(database)
    call = await calls.join(WISH)
    await calls.forget()
    assert await calls.get(call.id) is not None
    age = round(timedelta(days=3) / timedelta(milliseconds=1))
    await query(
        database, "UPDATE mcp_call SET created_at = created_at - :age RETURNING id", age=age
    )
    await calls.forget()
    assert await calls.get(call.id) is None
