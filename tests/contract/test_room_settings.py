"""What rooms chose, on both databases."""

import asyncio
import json

from lycatra_appservice.chat.room_settings import RoomSettings, RoomSettingsStore
from lycatra_appservice.db.connection import Database
from lycatra_appservice.db.migrate import UpgradableDatabase
from lycatra_appservice.model import JSON, RoomID, UserID
from tests.support.turns import query

ROOM = RoomID("!room-of-version-12")
PERSON, OTHER = UserID("@person:hs.test"), UserID("@other:hs.test")


async def stored(database: Database, room: RoomID = ROOM) -> tuple[JSON, str]:
    (row,) = await query(
        database, "SELECT chosen, set_by FROM room_settings WHERE room = :room", room=room
    )
    return json.loads(row["chosen"]), row["set_by"]


async def test_what_one_replica_sets_the_other_reads(
    database_pair: tuple[UpgradableDatabase, UpgradableDatabase],
) -> None:
    first, second = database_pair

    await RoomSettingsStore(first).choose(ROOM, "reply", "plain", by=PERSON)
    now = await RoomSettingsStore(second).choose(ROOM, "quiet", ["welcome"], by=OTHER)

    assert now == {"reply": "plain", "quiet": ["welcome"]}
    assert await stored(first) == (now, OTHER)


async def test_people_who_change_different_things_at_once_all_get_theirs(
    database_pair: tuple[UpgradableDatabase, UpgradableDatabase],
) -> None:
    stores = [RoomSettingsStore(database) for database in database_pair]
    wishes = {"reply": "thread", "stream": "off", "tables": "list", "virtual_users": "label"}

    async with asyncio.timeout(20):
        await asyncio.gather(
            *(
                stores[position % 2].choose(ROOM, name, value, by=PERSON)
                for position, (name, value) in enumerate(wishes.items())
            )
        )

    assert (await stored(database_pair[0]))[0] == wishes


async def test_taking_a_choice_back_leaves_the_others(database: Database) -> None:
    store = RoomSettingsStore(database)
    await store.choose(ROOM, "reply", "plain", by=PERSON)
    await store.choose(ROOM, "stream", "off", by=PERSON)

    await store.choose(ROOM, "reply", None, by=PERSON)
    await store.choose(ROOM, "never chosen", None, by=PERSON)

    assert (await stored(database))[0] == {"stream": "off"}


async def test_setting_the_same_again_changes_nothing(database: Database) -> None:
    store = RoomSettingsStore(database)

    once = await store.choose(ROOM, "reply", "plain", by=PERSON)

    assert await store.choose(ROOM, "reply", "plain", by=PERSON) == once


async def test_rooms_do_not_mix_and_what_a_newer_version_chose_stays(database: Database) -> None:
    store, other = RoomSettingsStore(database), RoomID("!other")
    await store.choose(other, "reply", "thread", by=PERSON)
    await store.choose(ROOM, "of_a_newer_version", {"deep": 1}, by=PERSON)

    now = await store.choose(ROOM, "reply", "plain", by=PERSON)

    assert now == {"of_a_newer_version": {"deep": 1}, "reply": "plain"}
    assert RoomSettings.of(RoomSettings(), now) == RoomSettings(reply="plain")
    assert (await stored(database, other))[0] == {"reply": "thread"}
