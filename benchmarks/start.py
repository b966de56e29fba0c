"""How long until a replica is ready, and how much memory does it hold when nothing happens?

The baseline is a fresh Python that imports what we depend on and does nothing with it.
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from benchmarks.measuring import (
    Figure,
    WrongWorkError,
    at_most,
    interleave,
    ratios,
    require,
)
from benchmarks.programs import is_listening, resident_mb
from benchmarks.question import Bench, Question
from lycatra_appservice.demo.homeserver import free_port
from tests.support.homeserver_stub import AS_TOKEN, SERVER_NAME, running_homeserver_stub
from tests.support.lycatra import Lycatra, lycatra_config

_ROUNDS: Final = 5
_IDLE_SECONDS: Final = 2.0  # its leader has greeted the homeserver by then
_LONGEST_SECONDS: Final = 30
_READY_SECONDS: Final = 60
_LOOK_AGAIN_SECONDS: Final = 0.005
_IMPORTS: Final = (
    "import aiohttp, aiosqlite, asyncpg, filelock, markdown_it, mautrix.types, nh3, openai,"
    " prometheus_client, pydantic, ruamel.yaml"
)


async def measure(bench: Bench) -> Sequence[Figure]:
    """Start ours and the bare imports in turns; each of our starts then idles a little."""
    memory: list[float] = []
    async with _startable(bench) as lycatra:
        await _start(lycatra)  # migrates the database, and has Python compile what it imports
        await lycatra.stop()

        async def ours() -> float:
            took = await _start(lycatra)
            await asyncio.sleep(_IDLE_SECONDS)
            memory.append(resident_mb(lycatra.child.pid))
            require(await lycatra.stop() == 0, f"it did not end in order:\n{lycatra.log()}")
            return took

        seconds = await interleave(_ROUNDS, {"ready": ours, "imports": _import}, _LONGEST_SECONDS)
    return [
        Figure(
            name="start_to_ready",
            unit="ratio",
            rounds=ratios(seconds["ready"], seconds["imports"]),
            goal=at_most(2),
            raw={f"{name}, s": rounds for name, rounds in seconds.items()},
        ),
        Figure(name="rss_idle_mb", unit="MiB", rounds=memory, goal=at_most(120)),
    ]


@asynccontextmanager
async def _startable(bench: Bench) -> AsyncIterator[Lycatra]:
    """A replica on Postgres, with a model configured, that finds its homeserver."""
    async with bench.postgres.fresh_database() as dsn, running_homeserver_stub() as homeserver:
        config = lycatra_config(
            homeserver_url=homeserver.url.rstrip("/"),
            server_name=SERVER_NAME,
            registration=bench.folder / "unused.yaml",
            database_url=dsn,
            appservice_url="http://127.0.0.1:1",
            model_url=f"http://127.0.0.1:{free_port()}/v1",  # asked only when somebody asks us
            more={"log": {"level": "INFO"}},
        )
        config["appservice"] |= {"as_token": AS_TOKEN, "hs_token": AS_TOKEN[::-1]}
        del config["appservice"]["registration_file"]
        lycatra = Lycatra(bench.folder, config, "start")
        try:
            yield lycatra
        finally:
            await lycatra.stop()


async def _start(lycatra: Lycatra) -> float:
    began = time.perf_counter()
    lycatra.launch()
    if not await is_listening(lycatra.port, lycatra.child):
        raise WrongWorkError(f"it ended while starting:\n{lycatra.log()[-2000:]}")
    async with asyncio.timeout(_READY_SECONDS):
        while (await lycatra.get("/readyz"))[0] != 200:  # noqa: ASYNC110 (another process)
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
    return time.perf_counter() - began


async def _import() -> float:
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", f"{_IMPORTS}\nprint('done', flush=True)", stdout=subprocess.PIPE
    )
    if process.stdout is None:
        raise WrongWorkError("the output of the imports is not to be had")
    said = await process.stdout.readline()
    took = time.perf_counter() - began  # its end is not part of it
    await process.wait()
    require(said == b"done\n", "the dependencies could not be imported")
    return took


QUESTION = Question(name="start", figures=("start_to_ready", "rss_idle_mb"), measure=measure)
