"""What was deployed, as people read it: newest first, what is under way before all."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lycatra_appservice.errors import InvalidArgumentsError, ToolFailedError
from lycatra_appservice.toolkit.memory import ShortMemory
from tests.support.journal import Journal, Killed
from tests.support.toolbench import NOW
from tests.unit.tools.updates.deploying import SWIFT, Desk, desk


def plain(service: str, **settings: Any) -> dict[str, Any]:
    """Deployed by a program that does nothing, and does that well."""
    apply = ["true", service, "{version}"]
    swift = {**SWIFT, "watch_seconds": 0}
    return {"service": service, "kind": "command", "apply": apply, **swift, **settings}


class Hands:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def pass_minutes(self, minutes: float) -> None:
        self.now += timedelta(minutes=minutes)


async def stopped_in(at: Desk, step: str, service: str, version: str) -> tuple[str, Journal]:
    """A deployment whose process ends, and nobody goes on with it."""
    journal = Journal(kill_before=[step])
    args: dict[str, Any] = {"service": service, "version": version}
    hashed = (await at.needed("deploy_update", **args)).args_hash
    with pytest.raises(Killed):
        await at.one_run("deploy_update", hashed, journal, **args)
    return hashed, journal


async def test_nothing_was_deployed_yet(tmp_path: Path) -> None:
    async with desk(tmp_path, plain("web")) as at:
        result = await at.box.call("list_deployments", {})

    assert result.markdown == "Nothing was deployed yet."
    assert result.data == {"deployments": [], "total": 0, "offset": 0}


async def test_they_are_listed_with_times_and_people_newest_first(tmp_path: Path) -> None:
    clock = Hands()
    async with desk(tmp_path, plain("web"), plain("db"), now=clock, zone="Europe/Berlin") as at:
        await at.deploy("v1")
        clock.pass_minutes(10)
        await at.deploy("17.2", service="db")
        clock.pass_minutes(10)
        await at.deploy("v2")
        result = await at.box.call("list_deployments", {})
        of_db = await at.listed(service="DB")

    people = "| @operator:example.org | @viewer:example.org |  |"
    assert result.markdown.splitlines() == [
        "**Deployments** (3, times in Europe/Berlin)",
        "",
        "| Began | Ended | Service | Version | State | Asked by | Approved by | Why |",
        f"|{' --- |' * 8}",
        f"| 2026-11-22 13:20 | 2026-11-22 13:20 | web | v2 (before v1) | ✅ kept {people}",
        f"| 2026-11-22 13:10 | 2026-11-22 13:10 | db | 17.2 | ✅ kept {people}",
        f"| 2026-11-22 13:00 | 2026-11-22 13:00 | web | v1 | ✅ kept {people}",
    ]
    assert [each["version"] for each in of_db] == ["17.2"]
    assert of_db[0]["began"] == "2026-11-22T13:10:00+01:00"
    assert of_db[0]["asked_by"] == "@operator:example.org"


async def test_pages_follow_each_other_and_lose_none(tmp_path: Path) -> None:
    clock = Hands()
    async with desk(tmp_path, plain("web"), now=clock) as at:
        for number in range(7):
            await at.deploy(f"v{number}")
            clock.pass_minutes(1)
        first = await at.box.call("list_deployments", {"limit": 3})
        second = await at.box.call("list_deployments", {"limit": 3, "offset": 3})
        last = await at.box.call("list_deployments", {"limit": 3, "offset": 6})
        beyond = await at.box.call("list_deployments", {"offset": 7})

    seen = [each["version"] for page in (first, second, last) for each in page.data["deployments"]]
    assert seen == [f"v{number}" for number in reversed(range(7))]
    assert first.note == "4 older left out; ask with offset=3"
    assert "(3 of 7," in first.markdown
    assert last.note is None
    assert beyond.markdown == "No more deployments."


async def test_what_is_under_way_stands_before_all_with_its_phase(tmp_path: Path) -> None:
    clock = Hands()
    async with desk(tmp_path, plain("web"), plain("db"), now=clock) as at:
        await stopped_in(at, "health check", "db", "17.2")
        clock.pass_minutes(5)
        await at.deploy("v1")
        result = await at.box.call("list_deployments", {})

    first, second = result.data["deployments"]
    assert (first["service"], first["state"], first["ended"]) == ("db", "under way", None)
    assert first["why"] == "phase: apply"  # the last one that had begun
    assert second["service"] == "web"
    assert "| ⏳ under way |" in result.markdown


async def test_what_was_left_lying_is_told_and_the_next_one_may_begin(tmp_path: Path) -> None:
    clock, memory = Hands(), ShortMemory()
    async with desk(tmp_path, plain("web"), now=clock, memory=memory) as at:
        hashed, journal = await stopped_in(at, "health check", "web", "v1")
        busy = await at.refusal("v2")
        clock.pass_minutes(22)  # six for a phase, and a quarter of an hour
        [left] = await at.listed()
        result = await at.deploy("v2")
        with pytest.raises(ToolFailedError) as too_late:
            await at.approved(
                "deploy_update", hashed, journal, resuming=True, service="web", version="v1"
            )
        entries = await at.listed()

    assert "`web` is being deployed: v1, since 12:00." in busy
    assert "the next one can begin at 12:21." in busy
    assert (left["state"], left["why"]) == ("unfinished", "It stopped in the phase: apply.")
    assert result.data["state"] == "kept"
    assert "was interrupted for so long that it does not go on." in too_late.value.user_message
    assert [(e["version"], e["state"]) for e in entries] == [("v2", "kept"), ("v1", "unfinished")]


async def test_what_nobody_has_heard_of_is_refused_with_what_there_is(tmp_path: Path) -> None:
    async with desk(tmp_path, plain("web"), plain("db")) as at:
        with pytest.raises(InvalidArgumentsError) as refused:
            await at.box.call("list_deployments", {"service": "wbe"})

    assert refused.value.problems == ("`service` is one of db, web",)


@pytest.mark.parametrize("wrong", [{"limit": 0}, {"limit": 51}, {"offset": -1}, {"since": 3}])
async def test_arguments_out_of_bounds_are_refused(tmp_path: Path, wrong: dict[str, Any]) -> None:
    async with desk(tmp_path, plain("web")) as at:
        with pytest.raises(InvalidArgumentsError):
            await at.box.call("list_deployments", wrong)


async def test_only_so_many_are_remembered_of_a_service_and_the_newest_stay(
    tmp_path: Path,
) -> None:
    clock = Hands()
    async with desk(tmp_path, plain("web"), now=clock) as at:
        for number in range(33):
            await at.deploy(f"v{number}")
            clock.pass_minutes(1)
        entries = await at.listed(limit=50)

    assert [each["version"] for each in entries] == [f"v{32 - number}" for number in range(30)]
