"""The tool that brings the version back that ran before, once people have let it."""

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
from lycatra_appservice.tools.updates._wish import wish_of


class RollbackUpdateArgs(ToolArgs):
    """Of what."""

    service: str = Field(min_length=1, max_length=60, description="Its name.")


async def plan(args: RollbackUpdateArgs, ctx: ToolContext) -> Plan:
    """Say to which version, and how things are now.

    Raises InvalidArgumentsError for a service that is not configured, ToolFailedError where no
    version before is known.
    """
    return await planned(wish_of(args.service, None, ctx), ctx)


async def run(args: RollbackUpdateArgs, ctx: ToolContext) -> ToolResult:
    """Do it, and say whether the service is well then."""
    return await carried_out(wish_of(args.service, None, ctx), ctx)


def work(args: RollbackUpdateArgs) -> str:
    """Of one service one at a time, in the place of a deployment."""
    return f"deploy {args.service.casefold()}"


def has_work(settings: UpdatesSettings) -> bool:
    """Whether anything is configured to be deployed."""
    return bool(settings.deploy)


TOOL = Tool(
    name="rollback_update",
    title="Roll back update",
    summary=(
        "Brings back the version of a service that ran before the current one, after approval. "
        "Only when a person asks for it."
    ),
    args=RollbackUpdateArgs,
    run=run,
    plan=plan,
    example="rollback update shop",
    effect=Effect.CHANGE,
    level=Level.OPERATOR,
    approval=Rule(lifetime=timedelta(minutes=15)),
    resumes=True,
    background=work,
    timeout=timedelta(hours=1),  # above the longest that the settings allow
    has_work=has_work,
    also_called=("rollback", "roll back"),
)
