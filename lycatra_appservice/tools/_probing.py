"""Tries the three kinds of probes; each ends in a verdict, whatever the other side does."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from lycatra_appservice.toolkit.base import Outbound, OutboundError, ToolContext
from lycatra_appservice.tools._probes import (
    CommandProbe,
    HttpProbe,
    Probe,
    TcpProbe,
)
from lycatra_appservice.tools._process import minimal_environment, run_program
from lycatra_appservice.tools._web import web_address

_MAX_BYTES = 65_536  # of an answer, to look for a text in
_SHOWN_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether it is well; `detail` never holds an address or a command line."""

    ok: bool
    detail: str


async def try_probe(probe: Probe, ctx: ToolContext) -> Verdict:
    """Try once, within the probe's own time."""
    try:
        async with asyncio.timeout(probe.timeout_seconds):
            return Verdict(*await _looked(probe, ctx))
    except TimeoutError:
        return Verdict(False, f"no answer within {probe.timeout_seconds:g} s")


async def _looked(probe: Probe, ctx: ToolContext) -> tuple[bool, str]:
    match probe:
        case HttpProbe():
            return await _http(probe, ctx.http)
        case TcpProbe():
            return await _tcp(probe, ctx.http)
        case CommandProbe():
            return await _command(probe, ctx)


async def _http(probe: HttpProbe, http: Outbound) -> tuple[bool, str]:
    address = web_address(probe.url)
    wanted_bytes = _MAX_BYTES if probe.expect_text else 0
    try:
        answer = await http.get(
            address.url, headers=address.headers, max_body_bytes=wanted_bytes, cut=True
        )
    except OutboundError as exc:
        return False, exc.phrase
    if not _is_expected(answer.status, probe.expect_status):
        wanted = f", expected {probe.expect_status}" if probe.expect_status else ""
        return False, f"HTTP {answer.status}{wanted}"
    return _with_text(probe.expect_text, answer.body, f"HTTP {answer.status}")


def _is_expected(status: int, wanted: int | None) -> bool:
    return 200 <= status < 300 if wanted is None else status == wanted


async def _tcp(probe: TcpProbe, http: Outbound) -> tuple[bool, str]:
    try:
        await http.reach(*probe.endpoint)
    except OutboundError as exc:
        return False, exc.phrase
    return True, "accepts connections"


async def _command(probe: CommandProbe, ctx: ToolContext) -> tuple[bool, str]:
    try:
        finished = await run_program(
            probe.argv,
            folder=ctx.base_folder,
            environment=minimal_environment(),
            at_most=timedelta(seconds=probe.timeout_seconds),
            max_bytes=_MAX_BYTES,
        )
    except TimeoutError:
        raise
    except (OSError, ValueError) as exc:
        # The error's own text names the program; a NUL in an argument is a ValueError.
        ctx.log.warning("probe_cannot_run", extra={"reason": type(exc).__name__})
        return False, "its command cannot be started"
    detail = f"exit code {finished.exit_code}"
    if probe.show_output:
        detail = f"{detail}: {_first_line(finished.output or finished.errors)}"
    if finished.exit_code != probe.expect_status:
        return False, detail
    return _with_text(probe.expect_text, finished.output, detail)


def _with_text(wanted: str | None, found: bytes, detail: str) -> tuple[bool, str]:
    if wanted is None or wanted.encode() in found:
        return True, detail
    return False, f"{detail}, but the expected text is missing"


def _first_line(output: bytes) -> str:
    text = output.decode(errors="replace").strip()
    return text.partition("\n")[0][:_SHOWN_CHARACTERS] or "no output"
