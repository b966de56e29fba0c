"""What contenders have in common: the conversation, and turns on demand over stdin and stdout."""

import asyncio
import gc
import json
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Final, TypeAlias

from benchmarks.servers.scripted_model import ANSWER, AT_ONCE

Turn: TypeAlias = Callable[[], Awaitable[str]]
Open: TypeAlias = Callable[[str, str], AbstractAsyncContextManager[Turn]]

QUESTION: Final = "Is the wiki up?"
SAID_BEFORE: Final = tuple(
    (f"What about service{n}?", f"**service{n}** is up, it answered after {n} ms.")
    for n in range(10)
)
INSTRUCTIONS: Final = "Answer shortly. Facts come from tools."
TOOL_WORDS: Final = "Checks now whether a service is up, and how long its answer took."
RESULT: Final = {"services": [{"name": "wiki", "ok": True, "detail": "fine", "took_ms": 12}]}


def play(opened: Open) -> None:
    """Serve until stdin ends: a line `N M` is N turns, M at a time; the answer what they cost."""
    asyncio.run(_serve(opened, sys.argv[1]))


async def _serve(opened: Open, base_url: str) -> None:
    loop = asyncio.get_running_loop()
    async with opened(base_url, AT_ONCE) as turn:
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            turns, together = (int(word) for word in line.split())
            gc.collect()
            cpu, wall = time.process_time(), time.perf_counter()
            answers: set[str] = set()
            for _ in range(turns // together):
                answers.update(await asyncio.gather(*(turn() for _ in range(together))))
            cost = {
                "cpu_ms": (time.process_time() - cpu) * 1000 / turns,
                "wall_ms": (time.perf_counter() - wall) * 1000 / turns,
                "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                "right": {answer.strip() for answer in answers} == {ANSWER},
            }
            print(json.dumps(cost), flush=True)
