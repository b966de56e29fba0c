"""The tool that tells whether services are up, Lycatra itself included."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from zoneinfo import ZoneInfo

from pydantic import field_validator

from lycatra_appservice.toolkit.base import (
    JSON,
    Component,
    Field,
    InvalidArgumentsError,
    Scope,
    Tool,
    ToolArgs,
    ToolContext,
    ToolResult,
)
from lycatra_appservice.tools._tables import minute, table
from lycatra_appservice.tools._words import did_you_mean
from lycatra_appservice.tools.services._settings import ITSELF, ServicesSettings
from lycatra_appservice.tools.services._watched import Finding, Watched, look_at, watched_services

_AT_ONCE = 10  # a slow network must not be made slower
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
        _all_findings(chosen, ctx), ctx.components() if with_itself else _nothing()
    )
    return ToolResult(
        data={
            "services": [_finding_as_json(finding) for finding in findings],
            ITSELF: [_component_as_json(component, ctx.zone) for component in components],
        },
        markdown=_as_markdown(findings, components, ctx.zone),
        note=None if watched else "no services are configured under `tools.services.checks` yet",
    )


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


async def _all_findings(watched: Sequence[Watched], ctx: ToolContext) -> list[Finding]:
    places = asyncio.Semaphore(_AT_ONCE)
    return await asyncio.gather(*(_in_time(each, places, ctx) for each in watched))


async def _in_time(watched: Watched, places: asyncio.Semaphore, ctx: ToolContext) -> Finding:
    try:
        async with asyncio.timeout(_ALTOGETHER.total_seconds()), places:
            return await look_at(watched, ctx)
    except TimeoutError:
        took_ms = round(_ALTOGETHER.total_seconds() * 1000)
        return Finding(
            name=watched.name,
            ok=False,
            detail="not checked: the other services took too long; ask for this one alone",
            took_ms=took_ms,
        )


def _finding_as_json(finding: Finding) -> JSON:
    return {
        "name": finding.name,
        "ok": finding.ok,
        "detail": finding.detail,
        "took_ms": finding.took_ms,
    }


def _component_as_json(component: Component, zone: ZoneInfo) -> JSON:
    since = component.since.astimezone(zone) if component.since else None
    return {
        "name": component.name,
        "ok": component.ok,
        "detail": component.detail,
        "since": since.isoformat(timespec="seconds") if since else None,
    }


def _as_markdown(
    findings: Sequence[Finding], components: Sequence[Component], zone: ZoneInfo
) -> str:
    rows = [
        (_mark(found.ok), found.name, found.detail, f"{found.took_ms} ms") for found in findings
    ]
    rows += [
        (_mark(part.ok), _own_name(part), part.detail, _since(part, zone)) for part in components
    ]
    states = [*(found.ok for found in findings), *(part.ok for part in components)]
    down = states.count(False)
    head = f"**{down} of {len(rows)} down**" if down else f"**All {len(rows)} up**"
    if any(part.since for part in components):
        head += f" (times in {zone.key})"
    return f"{head}\n\n{table(('', 'Service', 'Detail', 'Time'), rows)}"


def _mark(ok: bool) -> str:
    return "✅ up" if ok else "❌ down"


def _own_name(component: Component) -> str:
    return component.name if component.name == ITSELF else f"{ITSELF}: {component.name}"


def _since(component: Component, zone: ZoneInfo) -> str:
    return f"since {minute(component.since, zone)}" if component.since else ""


TOOL = Tool(
    name="get_service_status",
    title="Get service status",
    summary=(
        "Checks now whether services are up: for each one ok, a short detail and how many "
        "milliseconds it took, and the state of this assistant's own parts. "
        "Use it when somebody asks whether something runs, works or is down."
    ),
    args=GetServiceStatusArgs,
    run=run,
    example="get service status",
    timeout=timedelta(seconds=30),
    cache_for=timedelta(seconds=5),
    scope=Scope.SHARED,
    also_called=("service status", "health"),
)
