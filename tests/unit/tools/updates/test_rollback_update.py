"""The version before comes back because people ask for it."""

from pathlib import Path
from typing import Any

import pytest

from lycatra_appservice.errors import ToolFailedError
from lycatra_appservice.toolkit.memory import ShortMemory
from tests.support.journal import Journal, Killed
from tests.unit.tools.updates.deploying import desk
from tests.unit.tools.updates.shop import command, log, running


async def test_a_roll_back_brings_the_version_before(shop: Path) -> None:
    async with desk(shop, command(shop)) as at:
        await at.deploy("v2")
        plan = (await at.needed("rollback_update", service="web")).plan
        result = await at.call("rollback_update", service="web")
        entries = await at.listed()

    assert plan.steps[0] == "brings `web` from v2 back to v1"
    assert result.markdown.startswith("↩️ **`web` is back at v1**, before v2.")
    assert running(shop) == "v1"
    assert [(each["version"], each["is_rollback"]) for each in entries] == [
        ("v1", True),
        ("v2", False),
    ]


async def test_a_second_roll_back_does_not_go_forward_again(shop: Path) -> None:
    async with desk(shop, command(shop)) as at:
        await at.deploy("v2")
        await at.call("rollback_update", service="web")
        with pytest.raises(ToolFailedError, match="I know of no version of `web` before v1"):
            await at.box.call("rollback_update", {"service": "web"})


async def test_where_nothing_was_deployed_there_is_nothing_to_go_back_to(shop: Path) -> None:
    async with desk(shop, command(shop)) as at:
        with pytest.raises(ToolFailedError) as failed:
            await at.box.call("rollback_update", {"service": "web"})

    assert failed.value.user_message == (
        "I know of no version of `web` before v1. Look with `!list deployments`, and deploy the "
        "one that you mean."
    )


@pytest.mark.slow
async def test_a_version_that_was_rolled_back_by_itself_is_nothing_to_go_back_to(
    shop: Path,
) -> None:
    async with desk(shop, command(shop)) as at:
        await at.deploy("v2")
        await at.deploy("v3")
        await at.call("rollback_update", service="web")

    assert running(shop) == "v1"
    assert log(shop) == ["swap v2", "swap v3", "swap v2", "swap v1"]


async def test_while_something_is_under_way_there_is_no_going_back(shop: Path) -> None:
    args: dict[str, Any] = {"service": "web", "version": "v3"}
    async with desk(shop, command(shop)) as at:
        await at.deploy("v2")
        hashed = (await at.needed("deploy_update", **args)).args_hash
        with pytest.raises(Killed):
            await at.one_run(
                "deploy_update", hashed, Journal(kill_before=["watch", "apply"]), **args
            )
        with pytest.raises(ToolFailedError, match="`web` is being deployed: v3, since 12:00"):
            await at.box.call("rollback_update", {"service": "web"})


@pytest.mark.slow
async def test_what_does_not_come_back_well_is_told_and_left(shop: Path) -> None:
    memory = ShortMemory()
    quick = command(shop, health=None)
    async with desk(shop, quick, memory=memory) as at:
        await at.deploy("v3")  # well, as nobody asks it
        await at.deploy("v2")
    async with desk(shop, command(shop), memory=memory) as at:
        result = await at.call("rollback_update", service="web")

    assert result.markdown.startswith("⚠️ **`web` v3 did not come back as it was.**")
    assert "HTTP 500" in result.data["why"]
    assert running(shop) == "v3"


@pytest.mark.slow
@pytest.mark.parametrize("step", ["id", "begin", "apply", "health check", "watch", "keep", "end"])
@pytest.mark.parametrize("how", ["before", "after"])
async def test_a_roll_back_by_hand_that_is_killed_in_any_step_ends_all_the_same(
    shop: Path, step: str, how: str
) -> None:
    journal = Journal(kill_before=[step]) if how == "before" else Journal(kill_after=[step])
    async with desk(shop, command(shop)) as at:
        await at.deploy("v2")
        result = await at.call("rollback_update", journal, service="web")
        entries = await at.listed()

    assert result.data["state"] == "kept"
    assert log(shop) == ["swap v2", "swap v1"]
    assert [each["is_rollback"] for each in entries] == [True, False]
