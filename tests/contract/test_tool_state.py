"""What tools remember, on both databases."""

import asyncio
from datetime import timedelta

import pytest

from lycatra_appservice.db.migrate import UpgradableDatabase
from lycatra_appservice.errors import ToolFailedError
from lycatra_appservice.model import JSON, Caller, Face, UserID
from lycatra_appservice.toolkit.memory import MAX_KEYS, MAX_VALUE_BYTES, with_question
from lycatra_appservice.toolkit.state import StateStore, StoredKeyValues
from tests.support.turns import query

Pair = tuple[UpgradableDatabase, UpgradableDatabase]
ROOM = "!room-of-version-12"


def pots(database: UpgradableDatabase, place: str = ROOM) -> StoredKeyValues:
    return StateStore(database).of("pots", place)


async def test_what_one_replica_remembers_the_other_knows(database_pair: Pair) -> None:
    one, other = map(pots, database_pair)
    value = {"täglich": [1, 2.5, None, True, "🍲"]}

    await one.put("$event:of.a-room", value)

    assert await other.get("$event:of.a-room") == value
    assert await other.keys() == ["$event:of.a-room"]
    await other.put("$event:of.a-room", None)
    assert await one.get("$event:of.a-room") is None
    assert await one.keys() == []


async def test_namespaces_and_places_do_not_mix(database: UpgradableDatabase) -> None:
    await pots(database).put("key", 1)
    await pots(database, "").put("key", 2)
    await StateStore(database).of("lids", ROOM).put("key", 3)

    assert await pots(database).get("key") == 1
    assert await pots(database, "").get("key") == 2
    assert await pots(database, "!other").get("key") is None


async def test_changes_at_once_all_count(database_pair: Pair) -> None:
    def one_more(before: JSON) -> JSON:
        return (before or 0) + 1

    async with asyncio.timeout(20):
        await asyncio.gather(
            *(pots(database).change("count", one_more) for database in database_pair * 10)
        )

    assert await pots(database_pair[0]).get("count") == 20


async def test_a_change_that_fails_leaves_all_as_it_was(database: UpgradableDatabase) -> None:
    def fail(_: JSON) -> JSON:
        raise LookupError

    with pytest.raises(LookupError):
        await pots(database).change("new", fail)
    with pytest.raises(TypeError):
        await pots(database).change("new", lambda _: object())

    assert await pots(database).keys() == []


async def test_values_and_keys_are_bounded(database: UpgradableDatabase) -> None:
    here = pots(database)
    await here.put("large", "x" * (MAX_VALUE_BYTES - 2))
    with pytest.raises(ToolFailedError, match="larger than 16 KiB"):
        await here.put("large", "x" * MAX_VALUE_BYTES)
    with pytest.raises(ValueError, match="1 to 200"):
        await here.put("a b", 1)
    assert len(await here.get("large")) == MAX_VALUE_BYTES - 2

    for n in range(MAX_KEYS - 1):
        await here.put(f"key{n}", n)
    with pytest.raises(ToolFailedError, match="200 things"):
        await here.put("one-more", 1)

    assert len(await here.keys()) == MAX_KEYS
    await here.put("key0", "changed")
    await pots(database, "!other").put("one-more", 1)


async def test_what_nobody_changed_for_long_is_forgotten_but_for_the_deployments(
    database: UpgradableDatabase,
) -> None:
    await pots(database).put("old", 1)
    await pots(database, "").put("old", 2)
    await query(database, "UPDATE tool_state SET at = at - 1000")
    await pots(database).put("new", 3)

    await StateStore(database).forget(timedelta(milliseconds=900))

    assert await pots(database).keys() == ["new"]
    assert await pots(database, "").get("old") == 2


async def test_a_place_that_is_left_is_forgotten_and_no_other(
    database: UpgradableDatabase,
) -> None:
    await pots(database).put("key", 1)
    await StateStore(database).of("lids", ROOM).put("key", 2)
    await pots(database, "!other").put("key", 3)
    await pots(database, "").put("key", 4)

    await StateStore(database).forget_place(ROOM)

    assert await pots(database).keys() == []
    assert await StateStore(database).of("lids", ROOM).keys() == []
    assert await pots(database, "!other").get("key") == 3
    assert await pots(database, "").get("key") == 4


async def test_a_place_that_goes_on_in_another_is_known_there_twice_told_too(
    database_pair: Pair,
) -> None:
    one, other = database_pair
    await pots(one).put("key", 1)
    await StateStore(one).of("lids", ROOM).put("key", "old")
    await StateStore(one).of("lids", "!new").put("mine", "new")

    async with asyncio.timeout(20):
        await asyncio.gather(
            *(StateStore(each).carry_over(ROOM, "!new") for each in (one, other, one, other))
        )
    await pots(one, "!new").put("key", 2)
    await StateStore(one).carry_over(ROOM, "!new")

    assert await pots(one, "!new").get("key") == 2
    assert await pots(one).get("key") == 1
    assert await StateStore(one).of("lids", "!new").keys() == ["mine"]


async def test_what_a_question_left_is_erased_with_it_and_nothing_else(
    database: UpgradableDatabase,
) -> None:
    store, here = StateStore(database), pots(database)
    for question in ("$one", "$other"):
        await here.put(with_question("key", asked_by(question)), question)
    await here.put(with_question("key", asked_by(None)), "by nobody")
    assert [await store.remembers(each) for each in ("$one", "$o", "")] == [True, False, False]

    async with database.transaction() as connection:
        await store.forget_turn(connection, "$one")

    assert not await store.remembers("$one")
    left = [await here.get(each) for each in await here.keys()]
    assert sorted(left) == ["$other", "by nobody"]


def asked_by(question: str | None) -> Caller:
    return Caller(user_id=UserID("@a:b"), face=Face.COMMAND, on_behalf_of_turn=question)


async def test_a_database_that_is_away_is_told_in_words(database: UpgradableDatabase) -> None:
    await database.close()

    for doing in (pots(database).get("key"), pots(database).put("key", 1)):
        with pytest.raises(ToolFailedError, match="database is not reachable"):
            await doing


async def test_no_secret_that_a_tool_was_told_back_is_kept(database: UpgradableDatabase) -> None:
    def conceal(text: str) -> str:
        return text.replace("sesame", "***")

    values = StateStore(database, conceal).of("pots", ROOM)

    kept = await values.change("seen", lambda _: {"why": ["refused sesame", 401]})

    assert kept == {"why": ["refused ***", 401]}
    rows = await query(database, "SELECT value FROM tool_state")
    assert "sesame" not in str(rows)
