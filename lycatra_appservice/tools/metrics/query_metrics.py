"""The tool that tells what figures of the monitoring are, and shows how they went."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from pydantic import field_validator

from lycatra_appservice.toolkit.base import (
    JSON,
    TOLD_LATER,
    Field,
    File,
    InvalidArgumentsError,
    Scope,
    Tool,
    ToolArgs,
    ToolContext,
    ToolFailedError,
    ToolResult,
)
from lycatra_appservice.tools._asked_time import ASKED, asked_time
from lycatra_appservice.tools._charts import MOST_LINES, Chart, Line, picture
from lycatra_appservice.tools._words import did_you_mean
from lycatra_appservice.tools.metrics._asking import Asking
from lycatra_appservice.tools.metrics._figures_shown import (
    course_of,
    line_as_json,
    lines_as_markdown,
)
from lycatra_appservice.tools.metrics._now import all_now, now_as_json, now_as_markdown
from lycatra_appservice.tools.metrics._series import Series, names_of
from lycatra_appservice.tools.metrics._settings import MetricsSettings, NamedQuery
from lycatra_appservice.tools.metrics._stretch import Stretch, stretch_between

_USUALLY = "1d"


class QueryMetricsArgs(ToolArgs):
    """Which figure, and from when on; without one all of them as they are now."""

    name: str | None = Field(
        default=None, max_length=80, description="Of one figure; without it all, as of now."
    )
    since: str = Field(
        default=_USUALLY,
        max_length=32,
        pattern=ASKED,
        description="6h, 7d or 2026-11-22T09:00.",
    )
    until: str | None = Field(
        default=None,
        max_length=32,
        pattern=ASKED,
        description="Up to then, as in since.",
        json_schema_extra=TOLD_LATER,
    )
    offset: int = Field(
        default=0,
        ge=0,
        le=1000,
        description="How many lines to skip, the highest come first.",
        json_schema_extra=TOLD_LATER,
    )

    @field_validator("name", "until", mode="before")
    @classmethod
    def _empty_is_none(cls, value: JSON) -> JSON:
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


async def run(args: QueryMetricsArgs, ctx: ToolContext) -> ToolResult:
    """Ask for one figure over a time, or for all at once.

    Raises ToolFailedError, and InvalidArgumentsError for a figure that is not configured.
    """
    settings = ctx.settings(MetricsSettings)
    asking = Asking(settings, ctx.http)
    if args.name is None:
        return await _all(settings.queries, asking, ctx)
    query = _chosen(args.name, settings.queries)
    stretch = _stretch(args, ctx)
    lines = _lines(await asking.over(query, stretch), stretch)
    page = lines[args.offset : args.offset + MOST_LINES]
    return ToolResult(
        data={
            "name": query.name,
            "title": query.title,
            "unit": query.unit,
            "step_s": stretch.step.total_seconds(),
            "lines": [line_as_json(each, stretch, ctx.zone) for each in page],
            "offset": args.offset,
        },
        markdown=lines_as_markdown(query, page, stretch, ctx.zone),
        note=_note(args.offset + len(page), len(lines)),
        files=await _pictures(query, page, ctx) if settings.pictures else (),
    )


async def _all(queries: Sequence[NamedQuery], asking: Asking, ctx: ToolContext) -> ToolResult:
    figures = await all_now(queries, asking, ctx.now())
    problems = [each.problem for each in figures if each.problem is not None]
    if not figures:
        raise ToolFailedError("No figures are configured yet under `tools.metrics.queries`.")
    if len(problems) == len(figures):
        raise problems[0]  # most likely that of all of them
    return ToolResult(
        data={"figures": [now_as_json(each) for each in figures]},
        markdown=now_as_markdown(figures),
        note="ask for one by its `name` to see how it went",
    )


async def _pictures(query: NamedQuery, lines: Sequence[Line], ctx: ToolContext) -> Sequence[File]:
    chart = Chart(title=query.title, unit=query.unit, zone=ctx.zone, lines=lines)
    drawn = await picture(chart, f"{query.name}.png")
    return [drawn] if drawn is not None else ()


def _chosen(name: str, queries: Sequence[NamedQuery]) -> NamedQuery:
    wanted = name.casefold()
    for each in queries:
        if wanted in (each.name.casefold(), each.title.casefold()):
            return each
    names = [each.name for each in queries]
    plain = " ".join(name.replace("`", "'").split())
    raise InvalidArgumentsError(
        f"No figure is called `{plain}`. {did_you_mean(name, names)}",
        [f"`name` is one of {', '.join(names)}"],
    )


def _stretch(args: QueryMetricsArgs, ctx: ToolContext) -> Stretch:
    now = ctx.now()
    since = asked_time(args.since, now, ctx.zone)
    until = min(asked_time(args.until, now, ctx.zone), now) if args.until else now
    try:
        return stretch_between(since, until)
    except ValueError as exc:
        raise ToolFailedError(f"That is no time to look at: {exc}.") from exc


def _lines(series: Sequence[Series], stretch: Stretch) -> Sequence[Line]:
    """The highest first, by name where they are alike; none without a value."""
    lines = [
        Line(name=name, points=each.on(stretch))
        for name, each in zip(names_of(series), series, strict=True)
    ]
    return sorted(
        (each for each in lines if each.values),
        key=lambda each: (-course_of(each).highest[1], each.name),
    )


def _note(told: int, there_are: int) -> str | None:
    if told < there_are:
        return f"{there_are - told} lines left out, all lower; ask with offset={told}"
    return None


TOOL = Tool(
    name="query_metrics",
    title="Query metrics",
    summary=(
        "Figures of our monitoring, such as load, requests or disk space: last, mean, lowest, "
        "highest, and a picture."
    ),
    args=QueryMetricsArgs,
    run=run,
    example="query metrics",
    timeout=timedelta(seconds=30),
    cache_for=timedelta(seconds=10),
    scope=Scope.SHARED,
    also_called=("metrics", "figures", "chart", "graph"),
    has_work=lambda settings: settings.has_work,
)
