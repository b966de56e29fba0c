"""The tool that tells what was released, changed and deployed."""

import json
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from pydantic import ConfigDict, field_validator

from lycatra_appservice.toolkit.base import (
    JSON,
    TOLD_LATER,
    Field,
    InvalidArgumentsError,
    Scope,
    Tool,
    ToolArgs,
    ToolContext,
    ToolFailedError,
    ToolResource,
    ToolResult,
)
from lycatra_appservice.tools._words import did_you_mean
from lycatra_appservice.tools.updates._collect import Collected, collect
from lycatra_appservice.tools.updates._remembered import with_remembered
from lycatra_appservice.tools.updates._settings import UpdatesSettings
from lycatra_appservice.tools.updates._shown import as_json, as_markdown
from lycatra_appservice.tools.updates._update import Update

_PAGE_BYTES = 14_000  # of JSON; a little less than the gate lets through


class ListUpdatesArgs(ToolArgs):
    """Which updates to list; the newest ones of all services without any argument."""

    model_config = ConfigDict(coerce_numbers_to_str=True)  # models write since=7 and since="7"

    service: str | None = Field(default=None, max_length=60, description="Its exact name.")
    since: str | None = Field(
        default=None,
        max_length=10,
        pattern=r"^([0-9]{1,4}|[0-9]{4}-[0-9]{2}-[0-9]{2})$",
        description="Days back (7) or first day (2026-11-01).",
    )
    query: str | None = Field(default=None, max_length=100, description="Words in it.")
    limit: int = Field(default=10, ge=1, le=50, description="How many.")
    offset: int = Field(
        default=0,
        ge=0,
        le=5000,
        description="How many newest ones to skip.",
        json_schema_extra=TOLD_LATER,
    )

    @field_validator("service", "since", "query", mode="before")
    @classmethod
    def _empty_is_all(cls, value: JSON) -> JSON:
        return None if value == "" else value  # how some models leave an argument out

    @field_validator("since")
    @classmethod
    def _is_a_day(cls, since: str | None) -> str | None:
        if since and "-" in since:
            try:
                date.fromisoformat(since)
            except ValueError as exc:
                raise ValueError(f"{since} is not a day of the calendar") from exc
        return since


async def run(args: ListUpdatesArgs, ctx: ToolContext) -> ToolResult:
    """Read all sources, and what is remembered, newest first, then choose.

    Raises ToolFailedError when there is nothing but sources that cannot be read,
    InvalidArgumentsError for a service that nobody has heard of.
    """
    settings = ctx.settings(UpdatesSettings)
    found = await with_remembered(await collect(settings.sources, ctx), ctx)
    if found.failed == len(settings.sources) > 0 and not found.updates:
        raise ToolFailedError(f"None of the sources could be read. {_sentences(found.notes)}")
    known = {update.service for update in found.updates} | _services(settings)
    _check_service(args.service, known, found)
    since = _since(args.since, ctx)
    chosen = [update for update in found.updates if _fits(update, args, since)]
    chosen.sort(key=_newest_first, reverse=True)
    page = _fitting(chosen[args.offset : args.offset + args.limit], ctx.zone)
    next_offset = args.offset + len(page)
    left_out = _left_out(next_offset, len(chosen), since, found.updates)
    data: dict[str, JSON] = {
        "updates": [as_json(update, ctx.zone) for update in page],
        "total": len(chosen),
        "offset": args.offset,
        "notes": [*found.notes],
    }
    return ToolResult(
        data=data,
        markdown=as_markdown(page, len(chosen), found.notes, ctx.zone),
        note="; ".join(left_out) or None,
    )


def _services(settings: UpdatesSettings) -> set[str]:
    named = [each.default_service for each in (*settings.sources, *settings.watch)]
    return {*named, *(each.service for each in settings.deploy)}


def _check_service(wanted: str | None, known: set[str], found: Collected) -> None:
    names = sorted(known)
    if wanted is None or wanted.casefold() in (name.casefold() for name in names):
        return
    text = f"No source knows a service called `{wanted}`. {did_you_mean(wanted, names)}"
    if found.failed:
        text += f" But not everything could be read. {_sentences(found.notes)}"
    raise InvalidArgumentsError(text, [f"`service` is one of {', '.join(names)}"])


def _since(since: str | None, ctx: ToolContext) -> datetime | None:
    """The first moment that counts: a day's beginning in the zone, so that whole days count."""
    if not since:
        return None
    if "-" in since:
        day = date.fromisoformat(since)
    else:
        day = ctx.now().astimezone(ctx.zone).date() - timedelta(days=int(since))
    return datetime.combine(day, time.min, ctx.zone)


def _fits(update: Update, args: ListUpdatesArgs, since: datetime | None) -> bool:
    if args.service and update.service.casefold() != args.service.casefold():
        return False
    if since and (update.when is None or update.when.moment < since):
        return False
    text = " ".join([update.service, update.version or "", update.title, *update.changes])
    return all(word in text.casefold() for word in (args.query or "").casefold().split())


def _newest_first(update: Update) -> tuple[bool, float]:
    """What is not released yet comes before everything, what has no date after everything."""
    if update.when is None:
        return update.kind == "unreleased", float("-inf")
    return False, update.when.moment.timestamp()


def _fitting(updates: Sequence[Update], zone: ZoneInfo) -> Sequence[Update]:
    """As many as one answer holds, so that the gate cuts nothing which no page would show."""
    used = 0
    for number, update in enumerate(updates):
        used += len(json.dumps(as_json(update, zone), ensure_ascii=False).encode(errors="replace"))
        if used > _PAGE_BYTES and number:
            return updates[:number]
    return updates


def _left_out(
    next_offset: int, total: int, since: datetime | None, updates: Sequence[Update]
) -> list[str]:
    notes = []
    undated = sum(update.when is None for update in updates) if since else 0
    if undated:
        notes.append(f"{undated} without a date left out; ask without `since` to see them")
    if next_offset < total:
        notes.append(f"{total - next_offset} older left out; ask with offset={next_offset}")
    if next_offset > total > 0:
        notes.append(f"there are only {total}; ask with a smaller offset")
    return notes


def _sentences(notes: Sequence[str]) -> str:
    return " ".join(f"{note}." for note in notes)


TOOL = Tool(
    name="list_updates",
    title="List updates",
    summary=(
        "Lists new releases, deployments and changes, newest first. "
        "Not for whether a service runs."
    ),
    args=ListUpdatesArgs,
    run=run,
    resource=ToolResource(uri="updates://latest", template="updates://latest/{service}"),
    example="list updates since=7",
    timeout=timedelta(seconds=15),
    cache_for=timedelta(seconds=20),
    scope=Scope.SHARED,
    also_called=("changelog", "releases", "deployments"),
)
