"""The tool that restarts a service, once people have let it."""

import os
import shlex
from collections.abc import Sequence
from datetime import timedelta
from time import monotonic

from lycatra_appservice.toolkit.base import (
    Effect,
    Field,
    InvalidArgumentsError,
    Level,
    Plan,
    Tool,
    ToolArgs,
    ToolContext,
    ToolFailedError,
    ToolResult,
)
from lycatra_appservice.tools._process import Finished, minimal_environment, run_program
from lycatra_appservice.tools._words import did_you_mean
from lycatra_appservice.tools.services._restart_settings import Restart
from lycatra_appservice.tools.services._settings import ServicesSettings

_MAX_BYTES = 65_536
_SHOWN_CHARACTERS = 200


class RestartServiceArgs(ToolArgs):
    """Which one."""

    service: str = Field(min_length=1, max_length=60, description="The service, by its name.")


async def plan(args: RestartServiceArgs, ctx: ToolContext) -> Plan:
    """Say what would be run. Raises InvalidArgumentsError for a service that is not configured."""
    restart = _configured(args.service, ctx)
    return Plan(
        target=restart.service, steps=[f"runs `{_shown(restart)}`"], look=_look(restart, ctx)
    )


async def run(args: RestartServiceArgs, ctx: ToolContext) -> ToolResult:
    """Restart it and wait for the end of the program that does it."""
    restart = _configured(args.service, ctx)
    began = monotonic()
    finished = await _ended(restart, ctx)
    took_ms = round((monotonic() - began) * 1000)
    said = _first_line(finished) if restart.show_output else ""
    saying = f", saying: {said}" if said else ""
    if finished.exit_code != 0:
        raise ToolFailedError(
            f"`{restart.service}` was not restarted: `{_shown(restart)}` ended with exit code "
            f"{finished.exit_code}{saying}. {_how_to_look(restart, ctx)}"
        )
    return ToolResult(
        data={
            "service": restart.service,
            "restarted": True,
            "exit_code": finished.exit_code,
            "took_ms": took_ms,
            "output": said,
        },
        markdown=(
            f"**`{restart.service}` was restarted**: `{_shown(restart)}` ended well after "
            f"{took_ms} ms{saying}. {_how_to_look(restart, ctx)}"
        ),
    )


async def _ended(restart: Restart, ctx: ToolContext) -> Finished:
    try:
        return await run_program(
            restart.command,
            folder=ctx.base_folder,
            environment=_environment(restart),
            at_most=timedelta(seconds=restart.timeout_seconds),
            max_bytes=_MAX_BYTES,
        )
    except TimeoutError as exc:
        raise ToolFailedError(
            f"`{_shown(restart)}` did not end within {restart.timeout_seconds:g} s and was "
            f"stopped. `{restart.service}` may or may not have been restarted. "
            f"{_how_to_look(restart, ctx)}"
        ) from exc
    except (OSError, ValueError) as exc:
        # The error's own text may hold more of the command than is to be shown.
        ctx.log.warning(
            "restart_cannot_run", extra={"service": restart.service, "reason": str(exc)}
        )
        raise ToolFailedError(
            f"`{restart.service}` was not restarted: its command cannot be started. "
            "Whoever runs this service finds the reason in its log."
        ) from exc


def _configured(name: str, ctx: ToolContext) -> Restart:
    restarts = ctx.settings(ServicesSettings).restarts
    found = [each for each in restarts if each.service.casefold() == name.casefold()]
    if found:
        return found[0]
    names = sorted(each.service for each in restarts)
    raise InvalidArgumentsError(
        f"I cannot restart a service called `{' '.join(name.replace('`', chr(39)).split())}`. "
        f"{did_you_mean(name, names)}",
        [f"`service` is one of {', '.join(names)}" if names else "no service can be restarted"],
    )


def _look(restart: Restart, ctx: ToolContext) -> str | None:
    checks = ctx.settings(ServicesSettings).checks
    is_checked = any(each.name.casefold() == restart.service.casefold() for each in checks)
    return f"get service status {restart.service}" if is_checked else None


def _how_to_look(restart: Restart, ctx: ToolContext) -> str:
    look = _look(restart, ctx)
    if look is not None:
        return f"Look with `!{look}`."
    return f"Please look at `{restart.service}` itself: no check is configured for it."


def _shown(restart: Restart) -> str:
    shown = restart.shown or shlex.join(restart.command)
    return " ".join(shown.replace("`", "'").split())


def _environment(restart: Restart) -> dict[str, str]:
    """A user's systemd is found by the folder that its session has."""
    folder = os.environ.get("XDG_RUNTIME_DIR")
    is_of_user = restart.kind == "systemd" and restart.user
    return minimal_environment() | ({"XDG_RUNTIME_DIR": folder} if is_of_user and folder else {})


def _first_line(finished: Finished) -> str:
    lines: Sequence[bytes] = (finished.errors or finished.output).strip().splitlines()
    text = lines[0].decode(errors="replace") if lines else ""
    return " ".join(text.replace("`", "'").split())[:_SHOWN_CHARACTERS]


TOOL = Tool(
    name="restart_service",
    title="Restart service",
    summary=(
        "Restarts one service that the operator has configured for it, after somebody has "
        "approved it in the room. Use it when a person asks for a restart, not to find out what "
        "is wrong. Says whether the restart ended well, and how to look at the service then."
    ),
    args=RestartServiceArgs,
    run=run,
    plan=plan,
    example="restart service web",
    effect=Effect.CHANGE,
    level=Level.OPERATOR,
    timeout=timedelta(seconds=50),  # above the longest of a restart's own, below a command's time
    also_called=("restart",),
)
