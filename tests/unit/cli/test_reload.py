"""`lycatra run --reload`: what counts as a change, and a real process that is started anew."""

import asyncio
import itertools
import json
import os
import signal
import sys
from pathlib import Path

import aiohttp
import pytest

from lycatra_appservice.cli.reload import stamps_of
from lycatra_appservice.demo.homeserver import free_port
from tests.support.config_folder import SMALLEST
from tests.support.own_tools import pots, tool, write
from tests.support.waiting import until


def test_a_file_that_is_changed_made_or_removed_is_a_change_and_byte_code_is_none(
    tmp_path: Path,
) -> None:
    own = pots(tmp_path / "own")
    config = tmp_path / "config.yaml"
    seen = [stamps_of([own, config])]

    config.touch()
    seen.append(stamps_of([own, config]))
    (own / "pots" / "stir_pot.py").touch()
    seen.append(stamps_of([own, config]))
    (own / "pots" / "stir_pot.py").write_text("X = 1")
    seen.append(stamps_of([own, config]))
    (own / "pots" / "stir_pot.py").unlink()
    seen.append(stamps_of([own, config]))
    assert all(one != other for one, other in itertools.pairwise(seen))

    write(own, {"pots/__pycache__/x.py": "", ".git/y.py": "", "pots/list_pots.py~": ""})
    assert stamps_of([own, config]) == seen[-1]


@pytest.mark.slow
async def test_a_changed_tool_is_there_without_anybody_restarting_anything(
    tmp_path: Path,
) -> None:
    own = pots(tmp_path / "own", {"pots/stir_pot.py": "1 / 0"})
    port = free_port()
    settings = SMALLEST.replace("appservice:\n", f"appservice:\n  listen: {{port: {port}}}\n")
    (tmp_path / "config.yaml").write_text(settings + "own_tools: {paths: [own]}\n")

    async def tools_now() -> str:
        try:
            async with (
                aiohttp.ClientSession() as http,
                http.get(f"http://127.0.0.1:{port}/healthz") as answer,
            ):
                components = json.loads(await answer.text())["components"]
                return str(components["tools"]["detail"])
        except aiohttp.ClientError:
            return ""

    async def is_disabled() -> bool:
        return "pots/stir_pot" in await tools_now()

    async def all_work() -> bool:
        return (await tools_now()).endswith(" of them")

    log = tmp_path / "log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "lycatra_appservice", "run", "--reload"),
            cwd=tmp_path,
            stdout=output,
            stderr=output,
            env={**os.environ, "LYCATRA_LOG__LEVEL": "INFO"},
        )
    try:
        await until(is_disabled, "the broken tool in /healthz")
        (own / "pots" / "stir_pot.py").write_text(tool("stir_pot"))
        await until(all_work, "the mended tool in /healthz")
    finally:
        process.send_signal(signal.SIGTERM)
        code = await process.wait()

    assert code == 0
    text = log.read_text()
    assert "lycatra: a file has changed: starting again" in text
    [disabled] = [line for line in text.splitlines() if '"tools_disabled"' in line]
    assert json.loads(disabled)["reason"] == "line 1: ZeroDivisionError: division by zero"
