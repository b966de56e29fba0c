"""The tool that restarts a service, once people have let it."""

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
from lycatra_appservice.tools._words import did_you_mean
from lycatra_appservice.tools.services._restart_settings import Restart, SeenRestart
from lycatra_appservice.tools.services._restarts.choosing import restarter_of
from lycatra_appservice.tools.services._restarts.port import RestartError
from lycatra_appservice.tools.services._settings import ServicesSettings


class RestartServiceArgs(ToolArgs):
    """Which one."""

    service: str = Field(min_length=1, max_length=60, description="The service, by its name.")


async def plan(args: RestartServiceArgs, ctx: ToolContext) -> Plan:
    """Say what would be done, and how things are now.

    Raises InvalidArgumentsError for a service that is not configured, ToolFailedError for one
    that is not there or cannot be seen.
    """
    restart = _configured(args.service, ctx)
    outlook = await restarter_of(restart, ctx).outlook()
    return Plan(
        target=restart.service, steps=outlook.steps, now=outlook.now, look=_look(restart, ctx)
    )


async def run(args: RestartServiceArgs, ctx: ToolContext) -> ToolResult:
    """Restart it and wait until it is up again, or its program has ended."""
    restart = _configured(args.service, ctx)
    restarter = restarter_of(restart, ctx)
    began = monotonic()
    try:
        done = await restarter.restart()
    except RestartError as exc:
        raise ToolFailedError(f"{exc.user_message} {_how_to_look(restart, ctx)}") from exc
    took_ms = round((monotonic() - began) * 1000)
    return ToolResult(
        data={"service": restart.service, "restarted": True, "took_ms": took_ms, **done.data},
        markdown=(
            f"**`{restart.service}` was restarted** in {took_ms} ms: {done.how}. "
            f"{_how_to_look(restart, ctx)}"
        ),
    )


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
    is_seen = is_checked or isinstance(restart, SeenRestart)
    return f"get service status {restart.service}" if is_seen else None


def _how_to_look(restart: Restart, ctx: ToolContext) -> str:
    look = _look(restart, ctx)
    if look is not None:
        return f"Look with `!{look}`."
    return f"Please look at `{restart.service}` itself: no check is configured for it."


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
