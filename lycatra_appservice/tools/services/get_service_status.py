"""The tool that tells whether services are up, Lycatra itself included."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from pydantic import field_validator

from lycatra_appservice.toolkit.base import (
    JSON,
    Component,
    Field,
    File,
    InvalidArgumentsError,
    Scope,
    Tool,
    ToolArgs,
    ToolContext,
    ToolResource,
    ToolResult,
)
from lycatra_appservice.tools._words import did_you_mean
from lycatra_appservice.tools.services._day_chart import day_chart
from lycatra_appservice.tools.services._history import History
from lycatra_appservice.tools.services._history_words import history_as_json, history_as_markdown
from lycatra_appservice.tools.services._remembering import remember
from lycatra_appservice.tools.services._settings import ITSELF, ServicesSettings
from lycatra_appservice.tools.services._status_words import (
    as_table,
    component_as_json,
    finding_as_json,
)
from lycatra_appservice.tools.services._watched import (
    Finding,
    Watched,
    look_at_all,
    watched_services,
)

_ALTOGETHER = timedelta(seconds=25)  # below the tool's timeout, so that what is known is told


class GetServiceStatusArgs(ToolArgs):
    """Which service to look at; all of them without an argument."""

    service: str | None = Field(
        default=None,
        max_length=60,
        description=f"Only this service, by its name; `{ITSELF}` is this assistant itself.",
    )

    @field_validator("service", mode="before")
    @classmethod
    def _empty_is_all(cls, value: JSON) -> JSON:
        return None if value == "" else value  # how some models leave an argument out


async def run(args: GetServiceStatusArgs, ctx: ToolContext) -> ToolResult:
    """Check side by side. Raises InvalidArgumentsError for a service that is not configured."""
    watched = watched_services(ctx.settings(ServicesSettings))
    chosen = _chosen(args.service, watched)
    with_itself = args.service is None or args.service.casefold() == ITSELF
    findings, components = await asyncio.gather(
        look_at_all(chosen, ctx, _ALTOGETHER), ctx.components() if with_itself else _nothing()
    )
    histories = await remember(findings, ctx)
    if args.service is not None and len(findings) == 1:
        return await _of_one(findings[0], histories.get(findings[0].name), ctx)
    return ToolResult(
        data={
            "services": [finding_as_json(each, ctx.zone) for each in findings],
            ITSELF: [component_as_json(each, ctx.zone) for each in components],
        },
        markdown=as_table(findings, components, ctx.now(), ctx.zone),
        note=None if watched else "no services are configured under `tools.services.checks` yet",
    )


async def _of_one(finding: Finding, history: History | None, ctx: ToolContext) -> ToolResult:
    """With what is remembered of it, which would be too much of all of them."""
    facts = finding_as_json(finding, ctx.zone)
    markdown = as_table([finding], (), ctx.now(), ctx.zone)
    files: Sequence[File] = ()
    if history is not None:
        files = await day_chart(finding.name, history, ctx)
        facts["history"] = history_as_json(history, ctx.now(), ctx.zone)
        markdown += f"\n\n{history_as_markdown(history, ctx.now(), ctx.zone)}"
    return ToolResult(data={"services": [facts], ITSELF: []}, markdown=markdown, files=files)


def _chosen(service: str | None, watched: Sequence[Watched]) -> Sequence[Watched]:
    if service is None:
        return watched
    found = [each for each in watched if each.name.casefold() == service.casefold()]
    if found or service.casefold() == ITSELF:
        return found
    names = [*sorted(each.name for each in watched), ITSELF]
    raise InvalidArgumentsError(
        f"I do not watch a service called `{service}`. {did_you_mean(service, names)}",
        [f"`service` is one of {', '.join(names)}"],
    )


async def _nothing() -> Sequence[Component]:
    return ()


TOOL = Tool(
    name="get_service_status",
    title="Get service status",
    summary=(
        "Checks now whether services are up: ok, a short detail, took_ms. Of one service also "
        "since when, how much of the last day, and restarts. "
        "Use it when somebody asks whether something runs or is down, or for how long."
    ),
    args=GetServiceStatusArgs,
    run=run,
    resource=ToolResource(uri="services://status", template="services://status/{service}"),
    example="get service status",
    timeout=timedelta(seconds=30),
    cache_for=timedelta(seconds=5),
    scope=Scope.SHARED,
    also_called=("service status", "health", "uptime"),
)
