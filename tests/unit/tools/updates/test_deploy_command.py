"""A real process behind a health check, swapped by programs that the operator has configured."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from lycatra_appservice.errors import InvalidArgumentsError, ToolFailedError
from lycatra_appservice.toolkit.memory import ShortMemory
from lycatra_appservice.tools.updates._settings import UpdatesSettings
from tests.support.journal import Journal, Killed
from tests.support.waiting import until
from tests.unit.tools.updates.deploying import desk, phases
from tests.unit.tools.updates.shop import PROGRAM, command, log, running, swap

# --- what goes well


async def test_a_card_says_from_what_to_what_and_what_happens_if_it_fails(shop: Path) -> None:
    async with desk(shop, command(shop, shown="swap.sh")) as at:
        plan = await at.plan("v2")

    assert plan.target == "web"
    assert plan.steps == [
        "brings `web` from v1 to v2",
        "runs `swap.sh`",
        "keeps it if it is well within 1.5 s and stays so for 0.1 s; else brings v1 back",
    ]
    assert plan.now == ["now `web` says that it is v1"]
    assert plan.look == "list deployments web"
    assert log(shop) == []


async def test_a_version_that_is_well_is_kept_and_remembered(shop: Path) -> None:
    async with desk(shop, command(shop)) as at:
        result = await at.deploy("v2")
        [entry] = await at.listed(service="WEB")
        told = await at.box.call("list_deployments", {})

    assert running(shop) == "v2"
    assert result.markdown.startswith("✅ **`web` runs v2**, before v1.")
    assert phases(result) == ["apply", "health check", "watch", "keep"]
    assert at.said[0] == "`web` v2: apply, 1 of 3"
    assert "`web` v2: watch, 3 of 3" in at.said
    assert (entry["state"], entry["version"], entry["previous"]) == ("kept", "v2", "v1")
    assert entry["asked_by"] == "@operator:example.org"
    assert entry["approved_by"] == ["@viewer:example.org"]
    assert entry["began"] is not None
    assert entry["ended"] is not None
    assert "| ✅ kept | @operator:example.org | @viewer:example.org |" in told.markdown


async def test_a_version_that_runs_already_gets_no_card(shop: Path) -> None:
    async with desk(shop, command(shop)) as at:
        await at.deploy("v2")
        again = await at.refusal("v2")

    assert again == "`web` runs v2 already, deployed for @operator:example.org: nothing to do."
    assert log(shop) == ["swap v2"]


async def test_two_cards_for_one_version_deploy_it_once(shop: Path) -> None:
    args: dict[str, Any] = {"service": "web", "version": "v2"}
    async with desk(shop, command(shop)) as at:
        hashed = (await at.needed("deploy_update", **args)).args_hash
        await at.approved("deploy_update", hashed, **args)
        with pytest.raises(ToolFailedError, match="nothing to do"):
            await at.approved("deploy_update", hashed, **args)

    assert log(shop) == ["swap v2"]


async def test_a_canary_runs_first_and_stops_what_it_does_not_like(shop: Path) -> None:
    fails = [sys.executable, "-c", "import sys; sys.exit(sys.argv[1] == 'v3')", "{version}"]
    async with desk(shop, command(shop, canary=fails, shown="x")) as at:
        good = await at.deploy("v2")
        bad = await at.deploy("v3")

    assert phases(good)[0] == "canary"
    assert bad.data["state"] == "not_deployed"
    assert "Nothing was changed." in bad.markdown
    assert (running(shop), log(shop)) == ("v2", ["swap v2"])


# --- what fails, and is rolled back


@pytest.mark.parametrize(
    ("version", "phase", "why"),
    [
        ("v3", "Health check", "HTTP 500"),
        ("v4", "Health check", "not well after 1.5 s"),
        ("v5", "Watch", "HTTP 500"),
    ],
)
async def test_a_version_that_is_not_well_is_rolled_back_by_itself(
    shop: Path, version: str, phase: str, why: str
) -> None:
    async with desk(shop, command(shop)) as at:
        result = await at.deploy(version)
        [entry] = await at.listed()

    assert running(shop) == "v1"
    assert result.markdown.startswith(f"↩️ **`web` was rolled back to v1**: {version} failed.")
    assert phase in result.data["why"]
    assert why in result.data["why"]
    assert entry["state"] == "rolled_back"
    assert log(shop) == [f"swap {version}", "swap v1"]


async def test_what_comes_back_is_well_before_that_is_said(shop: Path) -> None:
    async with desk(shop, command(shop)) as at:
        result = await at.deploy("v3")

    assert phases(result)[-2:] == ["roll back", "health check after the roll-back"]


@pytest.mark.slow
async def test_a_roll_back_can_be_another_program(shop: Path) -> None:
    back = [*PROGRAM, "swap", str(shop), "{version}"]
    lost = [sys.executable, "-c", "import sys; sys.exit(7)"]
    async with desk(shop, command(shop, rollback=back)) as at:
        assert (await at.deploy("v3")).data["state"] == "rolled_back"
    async with desk(shop, command(shop, rollback=lost)) as at:
        result = await at.deploy("v3")

    assert result.data["state"] == "failed_and_not_rolled_back"
    assert "The roll-back failed: " in result.data["why"]
    assert "exit code 7" in result.data["why"]


@pytest.mark.slow
async def test_a_roll_back_to_what_is_not_well_either_says_so(shop: Path) -> None:
    async with desk(shop, command(shop)) as at:
        await asyncio.to_thread(swap, shop, "v4")
        result = await at.deploy("v3")

    assert result.data["state"] == "failed_and_not_rolled_back"
    assert "It was rolled back to v4, which is not well after" in result.data["why"]


async def test_what_is_to_keep_going_is_left_as_it_is(shop: Path) -> None:
    async with desk(shop, command(shop, keep_going=True)) as at:
        plan = await at.plan("v3")
        result = await at.deploy("v3")

    assert plan.steps[-1].endswith("; else leaves it as it is")
    assert result.data["state"] == "failed_and_not_rolled_back"
    assert running(shop) == "v3"


@pytest.mark.slow
async def test_after_a_version_that_was_left_broken_the_last_good_one_comes_back(
    shop: Path,
) -> None:
    memory = ShortMemory()
    async with desk(shop, command(shop), memory=memory) as at:
        await at.deploy("v2")
    async with desk(shop, command(shop, keep_going=True), memory=memory) as at:
        await at.deploy("v3")
    async with desk(shop, command(shop), memory=memory) as at:
        result = await at.deploy("v4")

    assert result.markdown.startswith("↩️ **`web` was rolled back to v2**")


async def test_a_program_that_refuses_says_so_only_where_that_may_be_shown(shop: Path) -> None:
    (shop / "refuse").touch()
    async with desk(shop, command(shop, shown="swap.sh")) as at:
        hidden = await at.deploy("v2")
    async with desk(shop, command(shop, shown="swap.sh", show_output=True)) as at:
        shown = await at.deploy("v2")

    assert "`swap.sh` ended with exit code 3." in hidden.data["why"]
    assert "secret" not in hidden.markdown
    assert "saying: no space in '/var/secret'" in shown.data["why"]


async def test_a_missing_program_changes_nothing_and_is_not_told_by_its_path(shop: Path) -> None:
    apply = ["/nowhere/secret-tool", "{version}"]
    async with desk(shop, command(shop, apply=apply, shown="the tool")) as at:
        result = await at.deploy("v2")

    assert result.data["state"] == "not_deployed"
    assert "`the tool` cannot be started" in result.markdown
    assert "secret-tool" not in result.markdown


async def test_a_program_that_hangs_is_ended_and_what_ran_comes_back(shop: Path) -> None:
    hang = [sys.executable, "-c", "import time; time.sleep(60)", "{version}"]
    swap = [*PROGRAM, "swap", str(shop), "{version}"]
    settings = command(shop, apply=hang, rollback=swap, shown="slow.sh")
    settings |= {"apply_seconds": 3, "health_seconds": 20}
    async with desk(shop, settings) as at:
        result = await at.deploy("v2")

    assert result.data["state"] == "rolled_back"
    assert "`slow.sh` did not end within 3 s." in result.data["why"]
    assert running(shop) == "v1"


async def test_without_a_version_before_a_failure_is_left_as_it_is(shop: Path) -> None:
    async with desk(shop, command(shop, current=None)) as at:
        plan = await at.plan("v3")
        result = await at.deploy("v3")

    assert plan.steps[0] == "brings `web` from a version unknown to me to v3"
    assert result.data["state"] == "failed_and_not_rolled_back"
    assert "No version before it is known" in result.data["why"]


# --- what was cut off


def killed(step: str, how: str) -> Journal:
    """A process that ends once, before or after the work of a step."""
    return Journal(kill_before=[step]) if how == "before" else Journal(kill_after=[step])


STEPS = ["id", "begin", "canary", "apply", "health check", "watch", "keep", "end"]


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("how", ["before", "after"])
async def test_a_deployment_that_is_killed_in_any_step_ends_all_the_same(
    shop: Path, step: str, how: str
) -> None:
    journal = killed(step, how)
    nothing = [sys.executable, "-c", "pass"]
    async with desk(shop, command(shop, canary=nothing)) as at:
        result = await at.deploy("v2", journal)
        entries = await at.listed()

    assert result.data["state"] == "kept"
    assert running(shop) == "v2"
    assert [each["state"] for each in entries] == ["kept"]
    assert log(shop) == ["swap v2"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "step", ["apply", "health check", "roll back", "health check after the roll-back", "end"]
)
@pytest.mark.parametrize("how", ["before", "after"])
async def test_a_roll_back_that_is_killed_in_any_step_ends_all_the_same(
    shop: Path, step: str, how: str
) -> None:
    async with desk(shop, command(shop)) as at:
        result = await at.deploy("v3", killed(step, how))
        entries = await at.listed()

    assert result.data["state"] == "rolled_back"
    assert running(shop) == "v1"
    assert [each["state"] for each in entries] == ["rolled_back"]


async def test_a_deployment_that_somebody_else_did_meanwhile_leaves_no_service_busy(
    shop: Path,
) -> None:
    args: dict[str, Any] = {"service": "web", "version": "v2"}
    journal = Journal(kill_after=["begin"])
    async with desk(shop, command(shop)) as at:
        hashed = (await at.needed("deploy_update", **args)).args_hash
        with pytest.raises(Killed):
            await at.one_run("deploy_update", hashed, journal, **args)
        await asyncio.to_thread(swap, shop, "v2")
        await at.approved("deploy_update", hashed, journal, resuming=True, **args)
        [entry] = await at.listed()
        next_one = await at.plan("v1")

    assert (entry["version"], entry["state"]) == ("v2", "kept")
    assert next_one.steps[0] == "brings `web` from v2 to v1"


async def test_the_same_step_may_be_killed_again_and_again(shop: Path) -> None:
    journal = Journal(
        kill_before=["apply", "apply: look", "apply (2)", "watch", "watch (2)"],
        kill_after=["health check"],
    )
    async with desk(shop, command(shop)) as at:
        result = await at.deploy("v2", journal)

    assert result.data["state"] == "kept"
    assert journal.kill_before == journal.kill_after == []


async def test_what_cannot_be_looked_at_or_done_twice_is_rolled_back_when_it_was_cut_off(
    shop: Path,
) -> None:
    memory = ShortMemory()
    blind = command(shop, current=None, health=None)
    async with desk(shop, blind, memory=memory) as at:
        await at.deploy("v1")
        result = await at.deploy("v2", Journal(kill_before=["apply"]))

    assert result.data["state"] == "rolled_back"
    assert "It was cut off, and nobody can see how far it came." in result.data["why"]
    assert log(shop) == ["swap v1", "swap v1"]


async def test_what_may_be_done_twice_is_done_once_more_when_it_was_cut_off(shop: Path) -> None:
    blind = command(shop, current=None, repeatable=True)
    async with desk(shop, blind) as at:
        result = await at.deploy("v2", Journal(kill_after=["apply"]))

    assert result.data["state"] == "kept"
    assert log(shop) == ["swap v2", "swap v2"]


# --- one at a time


async def test_a_second_deployment_of_the_service_waits_for_the_end_of_the_first(
    shop: Path,
) -> None:
    gate = shop / "gate"
    wait = (
        "import pathlib, sys, time\n"
        "pathlib.Path(sys.argv[1] + '.seen').touch()\n"
        "while not pathlib.Path(sys.argv[1]).exists(): time.sleep(0.01)"
    )
    canary = [sys.executable, "-c", wait, str(gate)]
    args: dict[str, Any] = {"service": "web", "version": "v2"}
    async with desk(shop, command(shop, canary=canary)) as at:
        first = (await at.needed("deploy_update", **args)).args_hash
        second = (await at.needed("deploy_update", service="web", version="v3")).args_hash
        running_one = asyncio.create_task(at.approved("deploy_update", first, **args))
        await until(lambda: asyncio.to_thread((shop / "gate.seen").exists), "a canary", 10)
        busy = await at.refusal("v3")
        with pytest.raises(ToolFailedError, match="is being deployed"):
            await at.approved("deploy_update", second, service="web", version="v3")
        [under_way] = await at.listed()
        gate.touch()
        assert (await running_one).data["state"] == "kept"

    assert busy.startswith("`web` is being deployed: v2, since 12:00.")
    assert under_way["state"] == "under way"
    assert log(shop) == ["swap v2"]


@pytest.mark.slow
async def test_of_two_that_were_let_through_at_once_one_begins(shop: Path) -> None:
    """Both cards were there, and both were approved, before either had begun."""
    one: dict[str, Any] = {"service": "web", "version": "v2"}
    two: dict[str, Any] = {"service": "WEB", "version": "v3"}
    journals = Journal(kill_before=["begin"]), Journal(kill_before=["apply"])
    async with desk(shop, command(shop)) as at:
        hashes = [(await at.needed("deploy_update", **args)).args_hash for args in (one, two)]
        for hashed, journal, args in zip(hashes, journals, (one, two), strict=True):
            with pytest.raises(Killed):
                await at.one_run("deploy_update", hashed, journal, **args)
        with pytest.raises(ToolFailedError, match="`web` is being deployed: v3, since 12:00"):
            await at.approved("deploy_update", hashes[0], journals[0], resuming=True, **one)
        await at.approved("deploy_update", hashes[1], journals[1], resuming=True, **two)
        entries = await at.listed()

    assert [(each["version"], each["state"]) for each in entries] == [("v3", "rolled_back")]
    assert log(shop) == ["swap v3", "swap v1"]


# --- words that are no versions, and mistakes of the configuration


@pytest.mark.parametrize(
    "version",
    [
        *(
            "",
            "-rf",
            "--help",
            "../v2",
            "v2/..",
            "v2;reboot",
            ";rm",
            "v 2",
            "v2\nv3",
            "$(x)",
            "`x`",
        ),
        *("{service}", "%s", "ü", "v2\0", "v" * 129),
    ],
)
async def test_what_is_no_version_is_refused_before_anything(shop: Path, version: str) -> None:
    async with desk(shop, command(shop)) as at:
        with pytest.raises(InvalidArgumentsError):
            await at.box.call("deploy_update", {"service": "web", "version": f"{version}"})

    assert log(shop) == []


async def test_an_unknown_service_is_refused_with_the_likely_one(shop: Path) -> None:
    async with desk(shop, command(shop)) as at:
        for tool, more in (("deploy_update", {"version": "v2"}), ("rollback_update", {})):
            with pytest.raises(InvalidArgumentsError, match="Did you mean `web`"):
                await at.box.call(tool, {"service": "wbe", **more})


@pytest.mark.parametrize(
    "wrong",
    [
        {"apply": []},
        {"apply": ["deploy", "web"]},
        {"apply": ["{version}"]},
        {"apply": ["deploy\0", "{version}"]},
        {"service": "a b"},
        {"service": "a/b"},
        {"apply_seconds": 1800},
        {"health": {"kind": "magic"}},
    ],
)
def test_what_cannot_be_deployed_is_a_mistake_of_the_configuration(wrong: dict[str, Any]) -> None:
    good = {"service": "web", "kind": "command", "apply": ["deploy", "{version}"]}
    UpdatesSettings.model_validate({"deploy": [good]})
    with pytest.raises(ValidationError):
        UpdatesSettings.model_validate({"deploy": [{**good, **wrong}]})


def test_two_ways_to_deploy_one_service_are_a_mistake() -> None:
    one = {"service": "web", "kind": "command", "apply": ["deploy", "{version}"]}
    with pytest.raises(ValidationError, match="two say how to deploy 'web'"):
        UpdatesSettings.model_validate({"deploy": [one, {**one, "service": "Web"}]})


def test_a_health_check_may_be_reached_wherever_it_is() -> None:
    settings = UpdatesSettings.model_validate(
        {
            "deploy": [
                {
                    "service": "web",
                    "kind": "command",
                    "apply": ["deploy", "{version}"],
                    "health": {"kind": "tcp", "address": "10.0.0.5:8080"},
                }
            ]
        }
    )
    assert "10.0.0.5:8080" in [str(each) for each in settings.allowed_targets]
