"""Replicas with different tools notice each other, on both databases."""

from datetime import timedelta

from lycatra_appservice.db.migrate import UpgradableDatabase
from lycatra_appservice.turns.replicas import Replicas
from lycatra_appservice.turns.upkeep import Upkeep
from tests.support.turns import LEASE, query

Pair = tuple[UpgradableDatabase, UpgradableDatabase]


def upkeep(database: UpgradableDatabase, owner: str, tools: str | None) -> Upkeep:
    return Upkeep(database, owner, LEASE, tools=tools)


async def test_live_replicas_with_other_tools_are_counted(database_pair: Pair) -> None:
    one, other = database_pair
    await upkeep(one, "one", "aaaa").register()
    await upkeep(other, "two", "aaaa").register()
    await upkeep(other, "three", "bbbb").register()
    await upkeep(other, "old", None).register()

    assert await Replicas(one).with_other_tools("aaaa") == 1
    assert await Replicas(other).with_other_tools("bbbb") == 2


async def test_one_that_has_ended_or_fallen_silent_does_not_count(
    database: UpgradableDatabase,
) -> None:
    ended = upkeep(database, "ended", "bbbb")
    await ended.register()
    await upkeep(database, "silent", "bbbb").register()
    await ended.unregister()
    silence = timedelta(minutes=1) // timedelta(milliseconds=1)
    await query(
        database,
        "UPDATE replica SET seen_at = seen_at - :ms WHERE id = 'silent'",
        ms=silence,
    )

    assert await Replicas(database).with_other_tools("aaaa") == 0
