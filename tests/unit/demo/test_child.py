import asyncio
import signal
import sys
from pathlib import Path

from lycatra_appservice.demo.child import Child

# Starts a child that writes into our own output, tells that it runs, and waits to be killed.
PARENT = """
import sys, time
from pathlib import Path
from lycatra_appservice.demo.child import Child
child = Child(Path(sys.executable), "http.server", ["--bind", "127.0.0.1", "0"], Path("."),
              sys.stdout.buffer, {"PYTHONUNBUFFERED": "1"})
time.sleep(600)
"""
SERVING = b"Serving HTTP"


async def test_a_child_ends_when_its_parent_is_killed() -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    async with asyncio.timeout(30):
        assert (await parent.stdout.readline()).startswith(SERVING)
        parent.kill()
        await parent.stdout.read()  # ends only when nobody holds the other end: the child is gone
        await parent.wait()


async def test_stopping_asks_first_and_leaves_nothing_running(tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as output:
        child = Child(
            Path(sys.executable), "http.server", ["--bind", "127.0.0.1", "0"], tmp_path, output
        )
    assert child.is_running
    await child.stop()

    assert not child.is_running
    assert child.exit_code == -signal.SIGTERM


async def test_a_program_that_ends_by_itself_tells_its_exit_code(tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as output:
        child = Child(Path(sys.executable), "json.tool", ["nowhere.json"], tmp_path, output)
    async with asyncio.timeout(30):
        code = await child.wait()
    child.kill()

    assert code != 0
    assert "nowhere.json" in (tmp_path / "out").read_text()
