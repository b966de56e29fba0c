"""How fast is a trivial tool called over MCP, beside a bare handler and the usual servers?"""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from benchmarks.mcp_load import Peer, alone_ms, speed
from benchmarks.measuring import (
    Figure,
    WrongWorkError,
    at_least,
    at_most,
    interleave,
    percentile,
    ratios,
)
from benchmarks.programs import is_listening, tail_of
from benchmarks.question import REPOSITORY, Bench, Question
from lycatra_appservice.demo.child import Child
from lycatra_appservice.demo.homeserver import free_port

_ROUNDS: Final = 9
_CALLS: Final = 1600
_SLOW_CALLS: Final = 480  # of servers that take several times as long
_ALONE: Final = 400
_MOST_MS: Final = 0.7  # that we may take beyond twice the bare handler, one call at a time
_SERVERS: Final = {
    "bare": "mcp_bare",
    "ours": "mcp_ours",
    "sdk": "mcp_sdk",
    "fastmcp": "mcp_fastmcp",
}


async def measure(bench: Bench) -> Sequence[Figure]:
    """Let all of them take turns in both eras, then ours and the bare one alone."""
    async with AsyncExitStack() as stack:
        peers = {
            name: await stack.enter_async_context(_running(bench.folder, name))
            for name in _SERVERS
        }
        speeds = await _race(peers)
        alone = await _alone(peers)
    return [*_ratios(speeds), _beyond(alone)]


async def _race(peers: Mapping[str, Peer]) -> dict[str, list[float]]:
    asked = {f"{name}_2026": (peer, peer.modern()) for name, peer in peers.items()}
    asked |= {
        f"{name}_2025": (peer, await peer.legacy())
        for name, peer in peers.items()
        if name != "bare"
    }

    def racing(name: str) -> Callable[[], Awaitable[float]]:
        peer, requests = asked[name]
        calls = _CALLS if name.startswith(("bare", "ours")) else _SLOW_CALLS

        async def run() -> float:
            return await speed(peer.port, requests, calls)

        return run

    for name in asked:  # warm
        await racing(name)()
    return await interleave(_ROUNDS, {name: racing(name) for name in asked}, seconds=150)


async def _alone(peers: Mapping[str, Peer]) -> dict[str, list[float]]:
    def timing(name: str) -> Callable[[], Awaitable[float]]:
        peer = peers[name]

        async def run() -> float:
            return percentile(await alone_ms(peer.port, peer.modern()[0], _ALONE), 0.5)

        return run

    return await interleave(_ROUNDS, {name: timing(name) for name in ("bare", "ours")})


def _ratios(speeds: Mapping[str, Sequence[float]]) -> Sequence[Figure]:
    pairs = (
        ("mcp_vs_bare", "ours_2026", "bare_2026", at_least(0.25)),
        ("mcp_vs_sdk_2026", "ours_2026", "sdk_2026", at_least(2.5)),
        ("mcp_vs_sdk_2025", "ours_2025", "sdk_2025", at_least(2.5)),
        ("mcp_vs_fastmcp_2026", "ours_2026", "fastmcp_2026", at_least(6)),
        ("mcp_vs_fastmcp_2025", "ours_2025", "fastmcp_2025", at_least(6)),
    )
    return [
        Figure(
            name=name,
            unit="ratio",
            rounds=ratios(speeds[ours], speeds[other]),
            goal=goal,
            raw={f"{each}, calls/s": speeds[each] for each in (ours, other)},
        )
        for name, ours, other, goal in pairs
    ]


def _beyond(alone: Mapping[str, Sequence[float]]) -> Figure:
    pairs = zip(alone["ours"], alone["bare"], strict=True)
    return Figure(
        name="mcp_beyond_twice_bare",
        unit="ms",
        rounds=[ours - 2 * bare for ours, bare in pairs],
        goal=at_most(_MOST_MS),
        raw={f"{name}, p50 ms": values for name, values in alone.items()},
    )


@asynccontextmanager
async def _running(folder: Path, name: str) -> AsyncIterator[Peer]:
    port, module = free_port(), f"benchmarks.servers.mcp_{name}"
    log = folder / f"{module}.log"
    with log.open("wb") as output:
        arguments = (str(port), str(folder))
        child = Child(Path(sys.executable), module, arguments, REPOSITORY, output)
    try:
        if not await is_listening(port, child):
            raise WrongWorkError(f"{module} ended while starting:\n{tail_of(log)}")
        token = folder / f"mcp-{port}.token"
        yield Peer(port=port, token=token.read_text() if token.exists() else None)
    finally:
        await child.stop()


QUESTION = Question(
    name="mcp_calls",
    figures=(
        "mcp_vs_bare",
        "mcp_vs_sdk_2026",
        "mcp_vs_sdk_2025",
        "mcp_vs_fastmcp_2026",
        "mcp_vs_fastmcp_2025",
        "mcp_beyond_twice_bare",
    ),
    measure=measure,
)
