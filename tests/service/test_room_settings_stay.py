"""What a room chose stays: through a restart, and on every replica."""

from pathlib import Path

import pytest

from tests.support.lycatra import Lycatra
from tests.support.stage import Stage, sqlite_in


@pytest.mark.slow
async def test_choices_survive_a_restart(stage: Stage, tmp_path: Path) -> None:
    replica = await stage.replica(sqlite_in(tmp_path))
    async with replica:
        room = await stage.room()
        await room.said_to("!settings reply plain")
    async with replica:
        assert "`reply`: plain (chosen here)" in await room.said_to("!settings")


async def stopped(replica: Lycatra, stage: Stage) -> None:
    await replica.stop()
    stage.proxy.targets.remove(replica.port)


@pytest.mark.slow
async def test_what_one_replica_was_told_the_other_does(stage: Stage, postgres_dsn: str) -> None:
    first = await stage.replica(postgres_dsn)
    await first.start()
    room = await stage.room()
    assert "`reply`: auto (default)" in await room.said_to("!settings")
    second = await stage.replica(postgres_dsn)
    await second.start()

    await room.said_to("!settings reply plain")
    await stopped(first, stage)

    assert "`reply`: plain (chosen here)" in await room.said_to("!settings")
