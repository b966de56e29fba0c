"""Programs that do not speak as they should."""

import asyncio
import sys
from pathlib import Path

import pytest

from lycatra_appservice.settings_mcp_servers import McpServer
from lycatra_appservice.toolkit.remote.program import open_program

_ENDLESS = "import os\nwhile True: os.write(1, b'x' * 65536)"
_CHATTY = "print('Hello!', flush=True)\nprint('{}', flush=True)\ninput()"
_DEAF = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(600)"
_TELLS = "import os, pathlib\npathlib.Path('seen').write_text(str(dict(os.environ)))"


def running(program: str, folder: Path, **env: str) -> McpServer:
    return McpServer.model_validate(
        {
            "command": sys.executable,
            "args": ["-c", program],
            "folder": str(folder),
            "env": env,
        }
    )


async def test_a_line_without_end_ends_the_program_and_not_us(tmp_path: Path) -> None:
    gone = asyncio.Event()

    async with asyncio.timeout(30), open_program(running(_ENDLESS, tmp_path), gone):
        await gone.wait()


async def test_a_program_that_ends_is_gone(tmp_path: Path) -> None:
    gone = asyncio.Event()

    async with asyncio.timeout(30), open_program(running("pass", tmp_path), gone):
        await gone.wait()


async def test_what_is_no_message_is_passed_over(tmp_path: Path) -> None:
    gone = asyncio.Event()

    async with asyncio.timeout(30), open_program(running(_CHATTY, tmp_path), gone):
        assert not gone.is_set()


@pytest.mark.slow
async def test_a_program_that_does_not_listen_is_ended_all_the_same(tmp_path: Path) -> None:
    async with asyncio.timeout(30), open_program(running(_DEAF, tmp_path), asyncio.Event()):
        pass


async def test_a_program_that_is_not_there_is_an_error_of_the_system(tmp_path: Path) -> None:
    nothing = McpServer.model_validate({"command": str(tmp_path / "nothing")})

    with pytest.raises(FileNotFoundError):
        async with open_program(nothing, asyncio.Event()):
            pass


async def test_of_our_variables_it_gets_only_the_harmless_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LYCATRA_APPSERVICE__AS_TOKEN", "canary")
    gone = asyncio.Event()

    async with (
        asyncio.timeout(30),
        open_program(running(_TELLS, tmp_path, ITS_TOKEN="its own"), gone),
    ):
        await gone.wait()
    seen = (tmp_path / "seen").read_text()

    assert "its own" in seen
    assert "canary" not in seen
