"""The three kinds of checks; each ends in a finding, whatever the other side does."""

import asyncio
import time
from dataclasses import dataclass
from datetime import timedelta

from lycatra_appservice.toolkit.base import Outbound, OutboundError, ToolContext
from lycatra_appservice.tools._process import minimal_environment, run_program
from lycatra_appservice.tools._web import web_address
from lycatra_appservice.tools.services._settings import (
    CommandCheck,
    HttpCheck,
    ServiceCheck,
    TcpCheck,
)

_MAX_BYTES = 65_536  # of an answer, to look for a text in
_SHOWN_CHARACTERS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """How one service is doing; `detail` never holds an address or a command line."""

    name: str
    ok: bool
    detail: str
    took_ms: int


async def check_service(check: ServiceCheck, ctx: ToolContext) -> Finding:
    """Check once, within the check's own time."""
    started = time.monotonic()
    try:
        async with asyncio.timeout(check.timeout_seconds):
            ok, detail = await _looked(check, ctx)
    except TimeoutError:
        ok, detail = False, f"no answer within {check.timeout_seconds:g} s"
    took_ms = round((time.monotonic() - started) * 1000)
    return Finding(name=check.name, ok=ok, detail=detail, took_ms=took_ms)


async def _looked(check: ServiceCheck, ctx: ToolContext) -> tuple[bool, str]:
    match check:
        case HttpCheck():
            return await _http(check, ctx.http)
        case TcpCheck():
            return await _tcp(check, ctx.http)
        case CommandCheck():
            return await _command(check, ctx)


async def _http(check: HttpCheck, http: Outbound) -> tuple[bool, str]:
    address = web_address(check.url)
    wanted_bytes = _MAX_BYTES if check.expect_text else 0
    try:
        answer = await http.get(
            address.url, headers=address.headers, max_body_bytes=wanted_bytes, cut=True
        )
    except OutboundError as exc:
        return False, exc.phrase
    if not _is_expected(answer.status, check.expect_status):
        wanted = f", expected {check.expect_status}" if check.expect_status else ""
        return False, f"HTTP {answer.status}{wanted}"
    return _with_text(check.expect_text, answer.body, f"HTTP {answer.status}")


def _is_expected(status: int, wanted: int | None) -> bool:
    return 200 <= status < 300 if wanted is None else status == wanted


async def _tcp(check: TcpCheck, http: Outbound) -> tuple[bool, str]:
    try:
        await http.reach(*check.endpoint)
    except OutboundError as exc:
        return False, exc.phrase
    return True, "accepts connections"


async def _command(check: CommandCheck, ctx: ToolContext) -> tuple[bool, str]:
    try:
        finished = await run_program(
            check.argv,
            folder=ctx.base_folder,
            environment=minimal_environment(),
            at_most=timedelta(seconds=check.timeout_seconds),
            max_bytes=_MAX_BYTES,
        )
    except TimeoutError:
        raise
    except (OSError, ValueError) as exc:
        # The error's own text names the program; a NUL in an argument is a ValueError.
        ctx.log.warning(
            "check_cannot_run", extra={"service": check.name, "reason": type(exc).__name__}
        )
        return False, "its command cannot be started"
    detail = f"exit code {finished.exit_code}"
    if check.show_output:
        detail = f"{detail}: {_first_line(finished.output or finished.errors)}"
    if finished.exit_code != check.expect_status:
        return False, detail
    return _with_text(check.expect_text, finished.output, detail)


def _with_text(wanted: str | None, found: bytes, detail: str) -> tuple[bool, str]:
    if wanted is None or wanted.encode() in found:
        return True, detail
    return False, f"{detail}, but the expected text is missing"


def _first_line(output: bytes) -> str:
    text = output.decode(errors="replace").strip()
    return text.partition("\n")[0][:_SHOWN_CHARACTERS] or "no output"
