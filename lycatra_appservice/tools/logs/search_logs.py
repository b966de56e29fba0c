"""The tool that looks for lines in the logs of the configuration."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from pydantic import field_validator

from lycatra_appservice.toolkit.base import (
    JSON,
    TOLD_LATER,
    Audience,
    Field,
    InvalidArgumentsError,
    Level,
    Tool,
    ToolArgs,
    ToolContext,
    ToolFailedError,
    ToolResult,
)
from lycatra_appservice.tools._asked_time import ASKED, asked_time
from lycatra_appservice.tools._words import did_you_mean
from lycatra_appservice.tools.logs._collect import collect
from lycatra_appservice.tools.logs._settings import LogSource, LogsSettings
from lycatra_appservice.tools.logs._severity import Severity
from lycatra_appservice.tools.logs._shown import Shown, as_json, as_markdown, fitting
from lycatra_appservice.tools.logs._wanted import Wanted, concealing

_USUALLY = "1d"
_BEFORE_ALL = datetime.min.replace(tzinfo=UTC)


class LeastLevel(StrEnum):
    """The levels that can be asked for."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class SearchLogsArgs(ToolArgs):
    """What to look for; without anything the newest entries of all logs."""

    query: str = Field(default="", max_length=100, description="Words in it.")
    source: str | None = Field(default=None, max_length=60, description="Its exact name.")
    since: str = Field(
        default=_USUALLY,
        max_length=32,
        pattern=ASKED,
        description="6h, 2d or 2026-11-22T09:00.",
    )
    level: LeastLevel | None = Field(default=None, description="Or worse.")
    limit: int = Field(
        default=20, ge=1, le=100, description="How many.", json_schema_extra=TOLD_LATER
    )
    until: str | None = Field(
        default=None,
        max_length=32,
        pattern=ASKED,
        description="Only what is older, as in since.",
        json_schema_extra=TOLD_LATER,
    )
    offset: int = Field(
        default=0,
        ge=0,
        le=1000,
        description="How many newest ones to skip.",
        json_schema_extra=TOLD_LATER,
    )
    context: int = Field(
        default=0,
        ge=0,
        le=5,
        description="How many entries before and after each one.",
        json_schema_extra=TOLD_LATER,
    )

    @field_validator("source", "level", "until", mode="before")
    @classmethod
    def _empty_is_all(cls, value: JSON) -> JSON:
        return None if value == "" else value  # how some models leave an argument out

    @field_validator("since", mode="before")
    @classmethod
    def _empty_is_usual(cls, value: JSON) -> JSON:
        return value or _USUALLY

    @field_validator("since", "until")
    @classmethod
    def _is_a_time(cls, words: str | None) -> str | None:
        if words is not None:
            try:
                asked_time(words, datetime(2000, 1, 1, tzinfo=UTC), ZoneInfo("UTC"))
            except (ValueError, OverflowError) as exc:
                raise ValueError(f"{words} is no time of the calendar") from exc
        return words


async def run(args: SearchLogsArgs, ctx: ToolContext) -> ToolResult:
    """Look into all sources, then put what they gave in order.

    Raises ToolFailedError when none of them can be read, InvalidArgumentsError for a source that
    is not configured.
    """
    settings = ctx.settings(LogsSettings)
    sources = _sources(args.source, settings.sources)
    collected = await collect(sources, _wanted(args, settings, ctx), ctx)
    if collected.failed == len(sources):
        reasons = " ".join(f"{note}." for note in collected.notes)
        raise ToolFailedError(f"None of the logs could be read. {reasons}")
    newest = sorted(
        (Shown(source, found) for source, found in collected.found),
        key=lambda each: each.found.entry.when or _BEFORE_ALL,
        reverse=True,
    )
    page = fitting(newest[args.offset : args.offset + args.limit], ctx.zone)
    return ToolResult(
        data={
            "entries": [as_json(each, ctx.zone) for each in page],
            "offset": args.offset,
            "notes": [*collected.notes],
        },
        markdown=as_markdown(page, collected.notes, ctx.zone),
        note=_note(args, len(page), len(newest)),
    )


def _sources(name: str | None, known: Sequence[LogSource]) -> Sequence[LogSource]:
    if name is None:
        return known
    found = [each for each in known if each.name.casefold() == name.casefold()]
    if found:
        return found
    names = [each.name for each in known]
    plain = " ".join(name.replace("`", "'").split())
    raise InvalidArgumentsError(
        f"No log is called `{plain}`. {did_you_mean(name, names)}",
        [f"`source` is one of {', '.join(names)}"],
    )


def _wanted(args: SearchLogsArgs, settings: LogsSettings, ctx: ToolContext) -> Wanted:
    return Wanted(
        query=args.query,
        since=asked_time(args.since, ctx.now(), ctx.zone),
        until=asked_time(args.until, ctx.now(), ctx.zone) if args.until else None,
        severity=Severity[args.level.name] if args.level else None,
        most=args.offset + args.limit + 1,  # one more tells whether there are more
        context=args.context,
        conceal=concealing(settings.hide),
    )


def _note(args: SearchLogsArgs, shown: int, known: int) -> str | None:
    if args.offset + shown < known:
        return f"older ones left out; ask with offset={args.offset + shown}"
    if args.since == _USUALLY:
        return "only the last 24 hours were looked at; ask with since=7d for more"
    return None


TOOL = Tool(
    name="search_logs",
    title="Search logs",
    summary="Finds lines in service logs, newest first.",
    args=SearchLogsArgs,
    run=run,
    example="search logs timeout since=6h",
    level=Level.OPERATOR,
    audience=Audience.ASKER,  # a log holds what people did; not all of a room may read that
    timeout=timedelta(seconds=30),
    also_called=("logs", "errors"),
    has_work=lambda settings: bool(settings.sources),
)
