"""The tool that brings a version of a service, once people have let it."""

from datetime import timedelta

from lycatra_appservice.toolkit.base import (
    Effect,
    Field,
    Level,
    Plan,
    Rule,
    Tool,
    ToolArgs,
    ToolContext,
    ToolResult,
)
from lycatra_appservice.tools.updates._deploying import carried_out, planned
from lycatra_appservice.tools.updates._settings import UpdatesSettings
from lycatra_appservice.tools.updates._versions import VERSION
from lycatra_appservice.tools.updates._wish import wish_of


class DeployUpdateArgs(ToolArgs):
    """Which version of what."""

    service: str = Field(min_length=1, max_length=60, description="Its name.")
    version: str = Field(
        min_length=1, max_length=128, pattern=VERSION, description="Such as 1.4.2 or v3."
    )


async def plan(args: DeployUpdateArgs, ctx: ToolContext) -> Plan:
    """Say what would be done, and how things are now.

    Raises InvalidArgumentsError for a service that is not configured, ToolFailedError for a
    version that cannot be or runs already, and for a deployer that cannot be asked.
    """
    return await planned(wish_of(args.service, args.version, ctx), ctx)


async def run(args: DeployUpdateArgs, ctx: ToolContext) -> ToolResult:
    """Do it, and go back by itself where it fails."""
    return await carried_out(wish_of(args.service, args.version, ctx), ctx)


def work(args: DeployUpdateArgs) -> str:
    """Of one service one at a time."""
    return f"deploy {args.service.casefold()}"


def has_work(settings: UpdatesSettings) -> bool:
    """Whether anything is configured to be deployed."""
    return bool(settings.deploy)


TOOL = Tool(
    name="deploy_update",
    title="Deploy update",
    summary=(
        "Deploys a version of a service after approval: checks its health, and rolls back by "
        "itself if it fails. Only when a person asks for it."
    ),
    args=DeployUpdateArgs,
    run=run,
    plan=plan,
    example="deploy update shop 1.4.2",
    effect=Effect.CHANGE,
    level=Level.OPERATOR,
    approval=Rule(lifetime=timedelta(minutes=15)),
    resumes=True,
    background=work,
    timeout=timedelta(hours=1),  # above the longest that the settings allow
    has_work=has_work,
    also_called=("deploy",),
)
