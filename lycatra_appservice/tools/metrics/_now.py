"""All configured figures as they are at this moment, each asked for side by side."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from lycatra_appservice.toolkit.base import JSON
from lycatra_appservice.tools._figures import shown
from lycatra_appservice.tools._tables import table
from lycatra_appservice.tools.metrics._answers import AskingError
from lycatra_appservice.tools.metrics._asking import Asking
from lycatra_appservice.tools.metrics._figures_shown import rounded
from lycatra_appservice.tools.metrics._series import names_of
from lycatra_appservice.tools.metrics._settings import NamedQuery

_SHOWN_VALUES: Final = 3  # of one figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """The highest values of a figure by what they are of, and how many there are; or why not."""

    query: NamedQuery
    values: Sequence[tuple[str, float]] = ()
    there_are: int = 0
    problem: AskingError | None = None


async def all_now(queries: Sequence[NamedQuery], asking: Asking, at: datetime) -> Sequence[Now]:
    """In their order; what cannot be had says why."""
    return await asyncio.gather(*(_now(each, asking, at) for each in queries))


async def _now(query: NamedQuery, asking: Asking, at: datetime) -> Now:
    try:
        series = await asking.now(query, at)
    except AskingError as exc:
        return Now(query=query, problem=exc)
    values = [
        (name, each.points[-1][1]) for name, each in zip(names_of(series), series, strict=True)
    ]
    highest = sorted(values, key=lambda each: -each[1])[:_SHOWN_VALUES]
    return Now(query=query, values=highest, there_are=len(values))


def now_as_json(now: Now) -> Mapping[str, JSON]:
    """One figure; `values` are in its `unit`, the highest first."""
    return {
        "name": now.query.name,
        "title": now.query.title,
        "unit": now.query.unit,
        "values": [{"name": name, "value": rounded(value)} for name, value in now.values],
        "left_out": now.there_are - len(now.values),
        "problem": now.problem.phrase if now.problem else None,
    }


def now_as_markdown(figures: Sequence[Now]) -> str:
    """A table with a row for each."""
    return table(
        ("Figure", "Name", "Now"),
        [(each.query.title, f"`{each.query.name}`", _value(each)) for each in figures],
    )


def _value(now: Now) -> str:
    if now.problem is not None:
        return f"⚠️ {now.problem.phrase}"
    if not now.values:
        return "no value"
    said = [
        f"{name}: {shown(value, now.query.unit)}" if name else shown(value, now.query.unit)
        for name, value in now.values
    ]
    more = now.there_are - len(now.values)
    return ", ".join([*said, *([f"and {more} more"] if more else [])])
