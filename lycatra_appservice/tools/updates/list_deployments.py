"""The tool that tells what was deployed, by whom, and how that ended."""

import json
from collections.abc import Sequence
from datetime import timedelta

from lycatra_appservice.toolkit.base import (
    TOLD_LATER,
    Field,
    Scope,
    Tool,
    ToolArgs,
    ToolContext,
    ToolResult,
)
from lycatra_appservice.tools.updates._book import Book, Entry
from lycatra_appservice.tools.updates._deployed import entries_table, entry_as_json
from lycatra_appservice.tools.updates._history import history_of
from lycatra_appservice.tools.updates._settings import UpdatesSettings
from lycatra_appservice.tools.updates._wish import wish_of

_PAGE_BYTES = 14_000  # of JSON; a little less than the gate lets through


class ListDeploymentsArgs(ToolArgs):
    """Of which service; of all without."""

    service: str | None = Field(default=None, max_length=60, description="Only this one.")
    limit: int = Field(
        default=10, ge=1, le=50, description="How many.", json_schema_extra=TOLD_LATER
    )
    offset: int = Field(
        default=0,
        ge=0,
        le=5000,
        description="How many newest ones to skip.",
        json_schema_extra=TOLD_LATER,
    )


async def run(args: ListDeploymentsArgs, ctx: ToolContext) -> ToolResult:
    """The newest first, what is under way before all.

    Raises InvalidArgumentsError for a service that is not configured, and ToolFailedError for one
    of which this version cannot read what is remembered.
    """
    services = [each.service for each in ctx.settings(UpdatesSettings).deploy]
    if args.service:
        services = [wish_of(args.service, None, ctx).service]
    is_asked = args.service is not None
    books = [(name, await _book(name, ctx, is_asked=is_asked)) for name in services]
    found = [(name, entry) for name, book in books for entry in book.all(ctx.now())]
    found.sort(key=lambda each: (each[1].ended is None, each[1].began_at), reverse=True)
    page = _fitting(found[args.offset : args.offset + args.limit], ctx)
    following = args.offset + len(page)
    left = len(found) - following
    shown = f"{len(page)} of {len(found)}" if len(page) < len(found) else f"{len(found)}"
    return ToolResult(
        data={
            "deployments": [entry_as_json(name, entry, ctx.zone) for name, entry in page],
            "total": len(found),
            "offset": args.offset,
        },
        markdown=(
            f"**Deployments** ({shown}, times in {ctx.zone.key})\n\n"
            f"{entries_table(page, ctx.zone)}"
            if page
            else ("No more deployments." if found else "Nothing was deployed yet.")
        ),
        note=f"{left} older left out; ask with offset={following}" if left > 0 else None,
    )


async def _book(service: str, ctx: ToolContext, *, is_asked: bool) -> Book:
    """That of one service, which hides no other one where it cannot be read."""
    history = history_of(service, ctx)
    return await history.book() if is_asked else await history.readable_book()


def _fitting(found: Sequence[tuple[str, Entry]], ctx: ToolContext) -> Sequence[tuple[str, Entry]]:
    """As many as one answer holds, so that the gate cuts nothing which no page would show."""
    used = 0
    for number, (service, entry) in enumerate(found):
        used += len(json.dumps(entry_as_json(service, entry, ctx.zone)))
        if used > _PAGE_BYTES and number:
            return found[:number]
    return found


def has_work(settings: UpdatesSettings) -> bool:
    """Whether anything is configured to be deployed."""
    return bool(settings.deploy)


TOOL = Tool(
    name="list_deployments",
    title="List deployments",
    summary=(
        "Lists deployments made from here: who asked and approved, how each ended, and what is "
        "under way."
    ),
    args=ListDeploymentsArgs,
    run=run,
    example="list deployments shop",
    timeout=timedelta(seconds=15),
    scope=Scope.SHARED,
    has_work=has_work,
)
