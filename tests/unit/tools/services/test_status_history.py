"""What the status of one service tells of the time before."""

import logging
from pathlib import Path
from typing import Any

import pytest

from lycatra_appservice.errors import ToolFailedError
from lycatra_appservice.toolkit.memory import ShortMemory
from lycatra_appservice.tools.services._settings import ServicesSettings
from tests.unit.tools.services.looking import Clock, services


def check(folder: Path, name: str = "shop", **more: Any) -> dict[str, Any]:
    """Up as long as there is a file of its name."""
    return {"name": name, "kind": "command", "argv": ["test", "-e", f"{name}.up"], **more}


async def test_one_service_tells_since_when_and_how_the_day_was(tmp_path: Path) -> None:
    up = tmp_path / "shop.up"
    up.touch()
    async with services(tmp_path, check(tmp_path), zone="Europe/Berlin") as here:
        for _ in range(120):
            await here.watched(minutes=1)
        up.unlink()
        for _ in range(12):
            await here.watched(minutes=1)
        up.touch()
        for _ in range(68):
            await here.watched(minutes=1)
        result = await here.asked("SHOP")

    lines = result.markdown.splitlines()
    assert lines[0] == "**shop is up** (times in Europe/Berlin)"
    assert lines[-3:] == [
        "- Up since 2026-11-22 15:13 (1 h 7 min)",
        "- Up 93.96 % of the 3 h 19 min that I looked at in the last 24 h, down 12 min today",
        "- Before: down (exit code 1) from 2026-11-22 15:01; up from 2026-11-22 13:01",
    ]
    [found] = result.data["services"]
    assert found["history"] == {
        "since": "2026-11-22T15:13:00+01:00",
        "looked_at_all_the_time_since": True,
        "up_percent_24h": 93.96,
        "looked_at_hours_24h": 3.3,
        "down_minutes_24h": 12,
        "down_minutes_today": 12,
        "restarts_24h": 0,
        "changes": [
            {"at": "2026-11-22T13:01:00+01:00", "ok": True, "detail": "exit code 0"},
            {"at": "2026-11-22T15:01:00+01:00", "ok": False, "detail": "exit code 1"},
            {"at": "2026-11-22T15:13:00+01:00", "ok": True, "detail": "exit code 0"},
        ],
    }


async def test_a_picture_of_the_day_comes_along_once_there_is_something_to_see(
    tmp_path: Path,
) -> None:
    (tmp_path / "shop.up").touch()
    async with services(tmp_path, check(tmp_path)) as here:
        assert (await here.asked("shop")).files == ()
        for _ in range(40):
            await here.watched(minutes=1)
        [picture] = (await here.asked("shop")).files
        assert (await here.asked()).files == ()
    assert picture.name == "last-day.png"
    assert picture.data.startswith(b"\x89PNG")


async def test_the_first_look_promises_nothing_of_the_time_before(tmp_path: Path) -> None:
    async with services(tmp_path, check(tmp_path)) as here:
        lines = (await here.asked("shop")).markdown.splitlines()
    assert lines[-2:] == [
        "- Down since 2026-11-22 12:00 (0 s), when I looked for the first time",
        "- Not looked at often enough to tell of the last 24 h",
    ]


async def test_questions_now_and_then_do_not_claim_the_time_between(tmp_path: Path) -> None:
    async with services(tmp_path, check(tmp_path), watch=False) as here:
        await here.asked("shop")
        here.clock.pass_by(hours=5)
        result = await here.asked("shop")
    assert (
        "- Down at every look since 2026-11-22 12:00, but I did not look all the time"
        in result.markdown
    )
    assert result.data["services"][0]["history"]["up_percent_24h"] is None


async def test_history_outlives_a_restart_and_is_of_all_replicas(tmp_path: Path) -> None:
    memory, clock = ShortMemory(), Clock()
    async with services(tmp_path, check(tmp_path), memory=memory, clock=clock) as one:
        await one.watched()
    async with services(tmp_path, check(tmp_path), memory=memory, clock=clock) as other:
        await other.watched(minutes=5)
        found = await other.line("shop")
    assert found["history"]["down_minutes_24h"] == 5


async def test_all_services_together_are_told_without_their_histories(tmp_path: Path) -> None:
    async with services(tmp_path, check(tmp_path), check(tmp_path, "wiki")) as here:
        result = await here.asked()
    assert not any("history" in each for each in result.data["services"])
    assert "since 2026-11-22 12:00 (" not in result.markdown


async def test_a_history_that_another_version_has_kept_otherwise_begins_anew(
    tmp_path: Path,
) -> None:
    memory = ShortMemory()
    async with services(tmp_path, check(tmp_path), memory=memory) as here:
        await here.asked("shop")
        [key] = await memory.of("services", "").keys()
        for odd in ({"looked_at": "yesterday"}, [1, 2], "text", {"slots": 7}):
            await memory.of("services", "").put(key, odd)
            assert "history" in await here.line("shop")


async def test_a_status_is_told_when_nothing_can_be_remembered(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Away(ShortMemory):
        def of(self, namespace: str, place: str) -> Any:
            return Refusing({})

    class Refusing:
        def __init__(self, kept: object) -> None: ...

        async def change(self, key: str, how: object) -> None:
            raise ToolFailedError("the database is away")

    async with services(tmp_path, check(tmp_path), memory=Away()) as here:
        with caplog.at_level(logging.WARNING):
            found = await here.line("shop")
    assert found["detail"] == "exit code 1"
    assert "history" not in found
    assert "history_not_kept" in caplog.text


async def test_what_is_not_configured_any_more_is_forgotten_after_a_while(tmp_path: Path) -> None:
    memory, clock = ShortMemory(), Clock()
    kept = memory.of("services", "")
    await kept.put("another-tool", 1)
    names = [f"service {number}" for number in range(30)]
    checks = [check(tmp_path, each) for each in names]
    async with services(tmp_path, *checks, memory=memory, clock=clock) as here:
        await here.watched()
    assert len(await kept.keys()) == 61

    async with services(tmp_path, check(tmp_path), memory=memory, clock=clock) as here:
        await here.watched(hours=1)
        assert len(await kept.keys()) == 63  # the configuration may come back
        await here.watched(hours=36)
    assert len(await kept.keys()) == 3


def test_the_most_services_that_can_be_configured_can_be_remembered() -> None:
    checks = [{"name": f"c{n}", "kind": "tcp", "address": "h:1"} for n in range(40)]
    restarts = [{"service": f"r{n}", "kind": "docker", "container": "a"} for n in range(40)]
    ServicesSettings.model_validate({"checks": checks, "restarts": restarts})
    assert 2 * (len(checks) + len(restarts)) <= 200
