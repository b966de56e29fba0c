"""What an operator sees: probes, figures, logs, and the sentence when it does not start."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from lycatra_appservice.demo.homeserver import free_port
from tests.support.lycatra import Lycatra
from tests.support.stage import Stage, sqlite_in


async def lycatra_command(replica: Lycatra, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lycatra_appservice", *words, "-c", str(replica.config_path)]
    return await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.slow
async def test_a_model_that_is_away_is_shown_and_makes_nobody_restart_us(
    stage: Stage, tmp_path: Path
) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}/v1"
    async with await stage.replica(sqlite_in(tmp_path), model_url=nowhere) as replica:
        status, body = await replica.get("/healthz")
        parts = json.loads(body)["components"]
        assert status == 200
        assert parts["model"]["ok"] is False
        assert parts["model"]["since"]
        assert parts["database"]["ok"] is True
        assert parts["homeserver"]["ok"] is True
        assert (await replica.get("/readyz"))[0] == 200
        room = await stage.room()
        assert "language model" in await room.said_to("lycatra: are you there?")
        assert "!list updates" in await room.said_to("!help")


@pytest.mark.slow
async def test_without_a_model_a_question_is_told_so_and_commands_work(
    stage: Stage, tmp_path: Path
) -> None:
    async with await stage.replica(sqlite_in(tmp_path)):
        room = await stage.room()
        assert "no language model is configured" in await room.said_to("lycatra: what is new?")
        assert "!list updates" in await room.said_to("!help")


@pytest.mark.slow
async def test_a_second_worker_on_one_file_is_refused_while_the_commands_work(
    stage: Stage, tmp_path: Path
) -> None:
    async with await stage.replica(sqlite_in(tmp_path)) as first:
        second = await stage.replica(
            sqlite_in(tmp_path), behind_proxy=False, more={"log": {"level": "INFO"}}
        )
        second.launch()
        assert await second.child.wait() == 1
        (line,) = [line for line in second.log().splitlines() if line.startswith("lycatra:")]
        assert "another worker already serves the database file" in line
        assert "Postgres" in line
        assert "Traceback" not in second.log()
        for words in (("check",), ("migrate", "--check")):
            done = await lycatra_command(first, *words)
            assert done.returncode == 0, done.stdout + done.stderr
        room = await stage.room()
        await room.said_to("!help")
