"""Lycatra updates itself: who brings the new version is ended by it, and the next one goes on."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from lycatra_appservice import __version__
from lycatra_appservice.toolkit.memory import ShortMemory
from tests.support.journal import Journal
from tests.support.waiting import until
from tests.unit.tools.updates.deploying import Desk, desk, phases
from tests.unit.tools.updates.shop import PROGRAM, command, log, running, swap

# Brings a version once it is let, whoever has started it; not for ever, should the test be gone.
SLOW = """
import pathlib, subprocess, sys, time
folder, version, *swap = sys.argv[1:]
pathlib.Path(folder, f"begun-{version}").touch()
patience = time.monotonic() + 60
while not pathlib.Path(folder, "go").exists():
    if time.monotonic() > patience:
        sys.exit("nobody lets it go")
    time.sleep(0.01)
sys.exit(subprocess.run([*swap, version]).returncode)
"""


def itself(shop: Path, **settings: Any) -> dict[str, Any]:
    apply = [sys.executable, "-c", SLOW, str(shop), "{version}", *PROGRAM, "swap", str(shop)]
    return command(shop, apply=apply, shown="update.sh", itself=True, **settings)


async def ended_by_its_own_program(at: Desk, shop: Path, version: str, then: str) -> None:
    """The process ends while the program is at work; that ends when the next run looks."""
    begun = shop / f"begun-{version}"
    await until(lambda: asyncio.to_thread(begun.exists), f"the program of {version}", 10)
    at.said.clear()
    at.kill()

    async def is_looked() -> bool:
        return any(then in each for each in at.said)

    await until(is_looked, "the next run", 10)
    (shop / "go").touch()

    async def is_done() -> bool:
        return log(shop)[-1:] == [f"swap {version}"]

    await until(is_done, "its end", 10)


async def test_the_new_version_goes_on_and_reports(shop: Path) -> None:
    journal = Journal()
    async with desk(shop, itself(shop)) as at:
        ending = asyncio.create_task(ended_by_its_own_program(at, shop, "v2", "v1 runs"))
        result = await at.deploy("v2", journal)
        await ending

    assert result.markdown.startswith("✅ **`web` runs v2**, before v1.")
    assert phases(result) == ["apply", "health check", "watch", "keep"]
    assert journal.cut_off == ["apply"]
    assert log(shop) == ["swap v2"]  # by the program that went on, not by a second one
    assert "apply (2)" not in journal.begun


async def test_a_bad_new_version_brings_the_old_one_back_which_reports(shop: Path) -> None:
    journal = Journal()
    async with desk(shop, itself(shop)) as at:
        ending = asyncio.create_task(ended_by_its_own_program(at, shop, "v3", "v1 runs"))
        hashed = (await at.needed("deploy_update", service="web", version="v3")).args_hash
        deploying = asyncio.create_task(
            at.approved("deploy_update", hashed, journal, service="web", version="v3")
        )
        await ending
        (shop / "go").unlink()
        # Going back ends the bad version just so.
        await ended_by_its_own_program(at, shop, "v1", "roll back: v3 runs")
        result = await deploying

    assert result.markdown.startswith("↩️ **`web` was rolled back to v1**: v3 failed.")
    assert set(journal.cut_off) == {"apply", "roll back"}
    assert running(shop) == "v1"
    assert log(shop) == ["swap v3", "swap v1"]


@pytest.mark.slow
@pytest.mark.parametrize("version", ["v2", "v3"])
async def test_of_two_replicas_the_other_one_goes_on(shop: Path, version: str) -> None:
    memory, journal = ShortMemory(), Journal()
    args: dict[str, Any] = {"service": "web", "version": version}
    (shop / "go").touch()
    async with (
        desk(shop, itself(shop), memory=memory) as first,
        desk(shop, itself(shop), memory=memory) as second,
    ):
        hashed = (await first.needed("deploy_update", **args)).args_hash
        run = asyncio.create_task(first.one_run("deploy_update", hashed, journal, **args))
        begun = shop / f"begun-{version}"
        await until(lambda: asyncio.to_thread(begun.exists), "the program", 10)
        first.kill()
        with pytest.raises(asyncio.CancelledError):
            await run
        result = await second.approved("deploy_update", hashed, journal, resuming=True, **args)
        [entry] = await second.listed()

    assert entry["state"] == result.data["state"]
    assert entry["state"] == ("kept" if version == "v2" else "rolled_back")
    assert running(shop) == ("v2" if version == "v2" else "v1")


async def test_what_nobody_prints_is_the_version_of_the_process_that_looks(shop: Path) -> None:
    async with desk(shop, itself(shop, current=None, health=None)) as at:
        (shop / "go").touch()
        same = await at.refusal(f"v{__version__}")
        result = await at.deploy("v2")  # which is not what this process becomes

    assert same == f"`web` runs v{__version__} already: nothing to do."
    assert result.data["state"] == "rolled_back"
    assert f"{__version__} runs" in result.data["why"]


@pytest.mark.slow
@pytest.mark.parametrize("killed", [[], ["roll back"]])
async def test_a_process_that_was_never_replaced_is_no_proof_that_the_old_version_is_back(
    shop: Path, killed: list[str]
) -> None:
    """Of two replicas the other one was, and does not come up."""
    (shop / "go").touch()
    swap(shop, __version__)
    async with desk(shop, itself(shop, current=None)) as at:
        result = await at.deploy("v4", Journal(kill_before=list(killed)))

    assert result.data["state"] == "rolled_back", result.markdown
    assert running(shop) == __version__
    assert log(shop)[1:] == ["swap v4", f"swap {__version__}"]


async def test_what_somebody_brought_back_by_hand_is_not_replaced_once_more(shop: Path) -> None:
    """The new version never came up, so nobody was there to bring the old one back."""
    (shop / "go").touch()
    async with desk(shop, itself(shop)) as at:
        result = await at.deploy("v3", Journal(kill_before=["apply"]))
        [entry] = await at.listed()

    assert result.markdown.startswith("↩️ **`web` was rolled back to v1**")
    assert "It was cut off, and v3 does not run." in result.data["why"]
    assert entry["state"] == "rolled_back"
    assert log(shop) == []
