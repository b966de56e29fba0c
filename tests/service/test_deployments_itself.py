"""Lycatra replaces itself by a program of its operator: the next process goes on, and reports."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from lycatra_appservice.model import JSON, EventID
from tests.support.installed import FIRST, Installed
from tests.support.lycatra import Lycatra
from tests.support.reading import Reading
from tests.support.stage import Stage, sqlite_in
from tests.support.tables import Tables
from tests.support.waiting import until

NEXT = "99.0.0"


@dataclass(frozen=True, kw_only=True)
class Upgrade(Reading):
    """A room in which somebody may deploy Lycatra itself."""

    replicas: list[Lycatra]

    async def deploy(self, version: str) -> EventID:
        """The request, which is approved by now."""
        request = await self.room.ask(f"!deploy lycatra {version}")
        card = await self.card_of(request)
        await self.room.person.react(self.room.room_id, EventID(card["event_id"]), "✅")
        return request

    async def until_all_run(self, version: str) -> None:
        """Return when every process is this version."""

        async def all_run() -> bool:
            try:
                said = [(await each.get("/healthz"))[1] for each in self.replicas]
            except aiohttp.ClientError:
                return False
            return all(f'"version": "{version}"' in each for each in said)

        await until(all_run, f"{version} everywhere")

    def reported_by(self, request: EventID) -> set[str]:
        """The versions of the processes that have ended the request's turn."""
        return {
            record["version"]
            for replica in self.replicas
            for record in replica.records("turn_done")
            if record["trigger_id"] == request
        }


@asynccontextmanager
async def opened(
    stage: Stage, installed: Installed, url: str, *, replicas: int, health_seconds: float = 120
) -> AsyncIterator[Upgrade]:
    made = [await stage.replica(url) for _ in range(replicas)]
    for each in made:
        each.configure(settings(stage, installed, made[0].port, health_seconds))
    async with installed.kept_running(*made):
        yield Upgrade(room=await stage.room(), tables=Tables(url), replicas=made)


def settings(
    stage: Stage, installed: Installed, port: int, health_seconds: float
) -> dict[str, JSON]:
    deploy = {
        "service": "lycatra",
        "kind": "command",
        "itself": True,
        "apply": installed.update_program(),
        "shown": "update-lycatra",
        "health": {
            "kind": "http",
            "url": f"http://127.0.0.1:{port}/healthz",
            "expect_text": '"version": "{version}"',
        },
        "apply_seconds": 120,
        "health_seconds": health_seconds,
        "watch_seconds": 0.3,
        "look_seconds": 0.1,
    }
    return {
        "access": {"operator": [f"*:{stage.site.homeserver.server_name}"]},
        "turns": {"lease": "2s", "drain": "0.5s"},
        "tools": {"updates": {"deploy": [deploy]}},
    }


@pytest.mark.slow
@pytest.mark.parametrize("replicas", [1, 2])
async def test_who_replaces_itself_is_followed_by_the_new_version_which_reports(
    stage: Stage, tmp_path: Path, postgres_dsn: str, *, replicas: int
) -> None:
    installed = Installed(tmp_path)
    installed.release(NEXT)
    url = postgres_dsn if replicas > 1 else sqlite_in(tmp_path)
    async with opened(stage, installed, url, replicas=replicas) as upgrade:
        request = await upgrade.deploy(NEXT)
        report = await upgrade.report_on(request)
        assert f"`lycatra` runs {NEXT}, before {FIRST}" in report
        assert installed.brought() == [NEXT]
        assert upgrade.reported_by(request) == {NEXT}
        await upgrade.until_all_run(NEXT)
        assert (await upgrade.room.settled(upgrade.tables)).clean


@pytest.mark.slow
async def test_a_version_that_does_not_start_is_taken_back_by_the_replica_that_still_runs(
    stage: Stage, tmp_path: Path, postgres_dsn: str
) -> None:
    installed = Installed(tmp_path)
    installed.release(NEXT, is_broken=True)
    # The one that does not come back is waited for so long.
    health_seconds = 10
    async with opened(
        stage, installed, postgres_dsn, replicas=2, health_seconds=health_seconds
    ) as upgrade:
        request = await upgrade.deploy(NEXT)
        report = await upgrade.report_on(request)
        assert f"`lycatra` was rolled back to {FIRST}" in report
        assert installed.brought() == [NEXT, FIRST]
        await upgrade.until_all_run(FIRST)
        assert (await upgrade.room.settled(upgrade.tables)).clean
