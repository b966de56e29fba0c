"""What comes encrypted is stored once, as it came; on both databases."""

import json

from lycatra_appservice.db.migrate import UpgradableDatabase
from lycatra_appservice.matrix.crypto.raw_inbox import RawInbox, key_news
from lycatra_appservice.model import JSON, EventID
from tests.support.turns import query

SEALED: dict[str, JSON] = {
    "event_id": "$a",
    "room_id": "!room",
    "type": "m.room.encrypted",
    "content": {"ciphertext": "…"},
}
KEY: dict[str, JSON] = {"type": "m.room.encrypted", "sender": "@p:hs.test", "content": {"a": "b"}}


async def keep(database: UpgradableDatabase, *events: JSON, news: JSON = None) -> None:
    inbox = RawInbox(database)
    async with database.transaction() as connection:
        if news is not None:
            await inbox.keep_news(connection, news)
        await inbox.keep_events(connection, events, "push")


async def kept(database: UpgradableDatabase) -> list[JSON]:
    rows = await query(database, "SELECT raw FROM crypto_inbox ORDER BY id")
    return [row["raw"] and json.loads(row["raw"]) for row in rows]


async def test_an_event_that_comes_twice_is_stored_once(database: UpgradableDatabase) -> None:
    await keep(database, SEALED)
    await keep(database, SEALED)

    assert await kept(database) == [{"event": SEALED, "via": "push"}]


async def test_a_message_between_devices_that_comes_twice_is_stored_once(
    database: UpgradableDatabase,
) -> None:
    news = key_news([KEY], None, {}, {})
    await keep(database, news=news)
    await keep(database, news=news)
    await keep(database, news=key_news([{**KEY, "content": {"a": "c"}}], None, {}, {}))

    assert len(await kept(database)) == 2


async def test_an_event_that_was_taken_back_is_never_read(database: UpgradableDatabase) -> None:
    await keep(database, SEALED)
    inbox = RawInbox(database)
    assert await inbox.is_waiting(EventID("$a"))

    await inbox.redact(EventID("$a"))
    await keep(database, SEALED)

    assert not await inbox.is_waiting(EventID("$a"))
    assert await kept(database) == [None]


def test_few_keys_and_a_used_last_one_are_news() -> None:
    counts = {"@a": {"signed_curve25519": 3}, "@b": {"signed_curve25519": 50}, "@c": 7}
    unused = {"@b": ["signed_curve25519"], "@d": []}

    news = key_news((), ["@p:hs.test", 7], counts, unused)

    assert list(news.low) == ["@a"]
    assert list(news.used) == ["@d"]
    assert list(news.changed) == ["@p:hs.test"]


def test_nothing_new_is_no_news() -> None:
    assert not key_news((), None, {"@a": {"signed_curve25519": 50}}, {})
