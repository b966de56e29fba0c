"""What does a turn of the agent cost, beside the same turn of openai-agents and its like?

Two requests, one tool, an answer in 60 pieces. CPU of the agent's process alone: the model server
is another one, and so is each contender. Ours does what a turn does in service, but for the
database: history out of JSON rows and into them, journal, gate, checks.
"""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import util
from typing import Final

from benchmarks.measuring import (
    CannotMeasureError,
    Figure,
    at_most,
    interleave,
    ratios,
    require,
)
from benchmarks.question import REPOSITORY, Bench, Question
from benchmarks.scripted_server import running_model

_ROUNDS: Final = 12
_TURNS: Final = 20  # a round
_WARM_UP: Final = 20
_SECONDS: Final = 120
_CONTENDERS: Final = {
    "ours": "openai",
    "bare": "aiohttp",
    "openai_agents": "agents",
    "pydantic_ai": "pydantic_ai",
    "langchain": "langchain",
}


class Contender:
    """One running contender."""

    def __init__(self, name: str, process: Process) -> None:
        self._name = name
        self._process = process
        self.costs: list[Mapping[str, float]] = []

    async def cpu_ms(self) -> float:
        """The CPU of a turn, of some turns one after another."""
        cost = await self.turns(_TURNS)
        self.costs.append(cost)
        return cost["cpu_ms"]

    async def turns(self, turns: int) -> Mapping[str, float]:
        """What a turn costs. Raises WrongWorkError for an answer that is not the model's."""
        if self._process.stdin is None or self._process.stdout is None:
            raise AssertionError("it was opened with both")
        self._process.stdin.write(f"{turns} 1\n".encode())
        await self._process.stdin.drain()
        async with asyncio.timeout(_SECONDS):
            line = await self._process.stdout.readline()
        require(bool(line), f"{self._name} ended in the middle")
        cost: Mapping[str, float] = json.loads(line)
        require(bool(cost["right"]), f"{self._name} gave another answer than the model")
        return cost


async def measure(bench: Bench) -> Sequence[Figure]:
    """Let them take turns; the CPU of ours, and its ratio to each of the others."""
    missing = [name for name in _CONTENDERS.values() if util.find_spec(name) is None]
    if missing:
        raise CannotMeasureError(f"`make bench` installs what is missing: {', '.join(missing)}")
    async with AsyncExitStack() as stack:
        base_url = await stack.enter_async_context(running_model(bench.folder))
        running = {
            name: await stack.enter_async_context(_contender(name, base_url))
            for name in _CONTENDERS
        }
        for contender in running.values():
            await contender.turns(_WARM_UP)
        contenders: Mapping[str, Callable[[], Awaitable[float]]] = {
            name: contender.cpu_ms for name, contender in running.items()
        }
        cpu = await interleave(_ROUNDS, contenders, seconds=_SECONDS)
        rss = {name: [cost["rss_mb"] for cost in each.costs] for name, each in running.items()}
    return [_own(cpu, rss), *_ratios(cpu)]


def _own(cpu: Mapping[str, Sequence[float]], rss: Mapping[str, Sequence[float]]) -> Figure:
    raw = {f"{name}, CPU ms a turn": rounds for name, rounds in cpu.items()}
    raw |= {f"{name}, RSS MiB": rounds for name, rounds in rss.items()}
    return Figure(name="agent_turn_cpu", unit="ms", rounds=cpu["ours"], goal=at_most(6), raw=raw)


def _ratios(cpu: Mapping[str, Sequence[float]]) -> list[Figure]:
    return [
        Figure(
            name=f"agent_turn_vs_{name}",
            unit="ratio",
            rounds=ratios(cpu["ours"], rounds),
            goal=None if name == "bare" else at_most(0.5),
        )
        for name, rounds in cpu.items()
        if name != "ours"
    ]


@asynccontextmanager
async def _contender(name: str, base_url: str) -> AsyncIterator[Contender]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        f"benchmarks.contenders.{name}",
        base_url,
        stdin=PIPE,
        stdout=PIPE,
        cwd=REPOSITORY,
    )
    try:
        yield Contender(name, process)
    finally:
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(10):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


QUESTION = Question(
    name="agent_turn",
    figures=(
        "agent_turn_cpu",
        "agent_turn_vs_bare",
        "agent_turn_vs_openai_agents",
        "agent_turn_vs_pydantic_ai",
        "agent_turn_vs_langchain",
    ),
    measure=measure,
)
