"""Starts the scripted model server as a process of its own."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks.measuring import WrongWorkError
from benchmarks.programs import is_listening, tail_of
from benchmarks.question import REPOSITORY
from lycatra_appservice.demo.child import Child
from lycatra_appservice.demo.homeserver import free_port

_MODULE = "benchmarks.servers.scripted_model"


@asynccontextmanager
async def running_model(folder: Path) -> AsyncIterator[str]:
    """Its address, as a client takes it, while the context is open."""
    port = free_port()
    log = folder / f"{_MODULE}.log"
    with log.open("wb") as output:
        child = Child(Path(sys.executable), _MODULE, (str(port), "-"), REPOSITORY, output)
    try:
        if not await is_listening(port, child):
            raise WrongWorkError(f"{_MODULE} ended while starting:\n{tail_of(log)}")
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        await child.stop()
