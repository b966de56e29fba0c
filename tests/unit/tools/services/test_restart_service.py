"""Restarts by real programs: what is shown before, what happens, and what is said after."""

import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from lycatra_appservice.errors import InvalidArgumentsError, ToolFailedError
from lycatra_appservice.tools.services._settings import ServicesSettings
from tests.unit.tools.services.restarting import asked, restarted, toolbox

TOUCH = "import pathlib, sys; pathlib.Path(sys.argv[1]).touch()"
FAIL = "import sys; sys.stderr.write('`unit` is masked.\\nsecret'); sys.exit(3)"
HANG = "import time; time.sleep(60)"


def command(code: str, *more: str, **settings: Any) -> dict[str, Any]:
    """A restart of `web` by a small program."""
    argv = [sys.executable, "-c", code, *more]
    return {"service": "web", "kind": "command", "argv": argv, **settings}


async def test_nothing_runs_before_it_is_approved(tmp_path: Path) -> None:
    restart = {
        "service": "web",
        "kind": "command",
        "argv": [sys.executable, "-c", TOUCH, "{service}.done"],
    }
    async with toolbox(tmp_path, restart) as box:
        needed = await asked(box)

        assert not (tmp_path / "web.done").exists()
        assert needed.plan.target == "web"
        assert "web.done" in needed.plan.steps[0]
        await restarted(box)
        assert (tmp_path / "web.done").exists()


async def test_arguments_never_meet_a_shell(tmp_path: Path) -> None:
    written = "a b; touch hacked $(touch hacked) `touch hacked`"
    show = "import sys; print(len(sys.argv), sys.argv[1] == sys.argv[2])"
    restart = command(show, written, written, show_output=True)
    async with toolbox(tmp_path, restart) as box:
        result = await restarted(box)

    assert result.data["output"] == "3 True"
    assert not (tmp_path / "hacked").exists()


async def test_a_systemd_unit_is_named_behind_the_options(tmp_path: Path) -> None:
    restart = {"service": "web", "kind": "systemd", "unit": "web@1.service"}
    async with toolbox(tmp_path, restart) as box:
        needed = await asked(box)

    assert needed.plan.steps == ["runs `systemctl restart -- web@1.service`"]


@pytest.mark.parametrize("unit", ["--force", "-x", "a b", "web;reboot", "", "../x"])
async def test_what_is_no_unit_is_a_mistake_of_the_configuration(unit: str) -> None:
    with pytest.raises(ValidationError):
        ServicesSettings.model_validate(
            {"restarts": [{"service": "web", "kind": "systemd", "unit": unit}]}
        )


async def test_two_restarts_of_one_service_are_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="two restarts are of 'web'"):
        ServicesSettings.model_validate({"restarts": [command(TOUCH), command(TOUCH)]})


async def test_an_unknown_service_is_refused_with_the_likely_one(tmp_path: Path) -> None:
    async with toolbox(tmp_path, command(TOUCH)) as box:
        with pytest.raises(InvalidArgumentsError, match="Did you mean `web`"):
            await box.call("restart_service", {"service": "wbe"})
        with pytest.raises(InvalidArgumentsError, match="There is only `web`"):
            await box.call("restart_service", {"service": "`x`"})


async def test_the_result_says_how_to_look(tmp_path: Path) -> None:
    check = {"name": "web", "kind": "tcp", "address": "127.0.0.1:9"}
    async with toolbox(tmp_path, command("pass"), checks=[check]) as box:
        assert (await asked(box)).plan.look == "get service status web"

        result = await restarted(box)

    assert "**`web` was restarted**" in result.markdown
    assert "Look with `!get service status web`." in result.markdown


async def test_a_failed_restart_says_why_only_where_that_may_be_shown(tmp_path: Path) -> None:
    async with toolbox(tmp_path, command(FAIL, show_output=True)) as box:
        with pytest.raises(ToolFailedError, match=r"exit code 3, saying: 'unit' is masked\. "):
            await restarted(box)
    async with toolbox(tmp_path, command(FAIL)) as box:
        with pytest.raises(ToolFailedError, match=r"exit code 3\. Please look"):
            await restarted(box)


async def test_a_restart_that_takes_too_long_may_have_happened(tmp_path: Path) -> None:
    async with toolbox(tmp_path, command(HANG, timeout_seconds=0.2)) as box:
        with pytest.raises(ToolFailedError, match="may or may not have been restarted"):
            await restarted(box)


async def test_a_program_that_is_not_there_is_not_told_by_its_path(tmp_path: Path) -> None:
    restart = {"service": "web", "kind": "command", "argv": ["/nowhere/secret-tool"], "shown": "x"}
    async with toolbox(tmp_path, restart) as box:
        with pytest.raises(ToolFailedError) as caught:
            await restarted(box)

    assert "cannot be started" in caught.value.user_message
    assert "secret-tool" not in caught.value.user_message


async def test_secrets_in_arguments_can_be_kept_from_the_card(tmp_path: Path) -> None:
    restart = command("pass", "--token=s3cret", shown="restarts web on host1")
    async with toolbox(tmp_path, restart) as box:
        needed = await asked(box)
        result = await restarted(box)

    assert needed.plan.steps == ["runs `restarts web on host1`"]
    assert "s3cret" not in result.markdown
