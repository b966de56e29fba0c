"""Small line charts: what one shows, what it says to whoever cannot see it, and its picture.

The picture needs the extra `charts`; where that is missing there is none, and the words remain.
"""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from lycatra_appservice.toolkit.base import Extra, File
from lycatra_appservice.tools._figures import Scale, scale_of, shown

CHARTS: Final = Extra(name="charts", module="matplotlib")
MOST_LINES: Final = 8  # more colours nobody tells apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Values by aware times, in their order; None (or no number) is a gap in the line."""

    name: str
    points: Sequence[tuple[datetime, float | None]]

    @property
    def values(self) -> Sequence[float]:
        """The numbers alone, without gaps."""
        return [value for _, value in self.points if value is not None and math.isfinite(value)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Lines with one unit and one title; times are shown in `zone`.

    `faults` are stretches of time that are shaded, such as when something was down.
    """

    title: str
    unit: str
    zone: ZoneInfo
    lines: Sequence[Line]
    faults: Sequence[tuple[datetime, datetime]] = ()

    @property
    def drawn(self) -> Sequence[Line]:
        """Those that there is room for."""
        return self.lines[:MOST_LINES]

    @property
    def scale(self) -> Scale:
        """The unit in which all of it is shown."""
        return scale_of([value for line in self.drawn for value in line.values], self.unit)


def in_words(chart: Chart) -> str:
    """The figures of each line, for whoever cannot see the picture: last, lowest and highest."""
    times = [when for line in chart.drawn for when, _ in line.points]
    if not times:
        return f"{chart.title}: no values."
    first, last = (each.astimezone(chart.zone) for each in (min(times), max(times)))
    stretch = f"from {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} ({chart.zone.key})"
    lines = "; ".join(_line_in_words(line, chart.unit) for line in chart.drawn)
    left_out = len(chart.lines) - len(chart.drawn)
    more = f" {left_out} more lines are not in it." if left_out > 0 else ""
    faults = f" Faults that are marked: {len(chart.faults)}." if chart.faults else ""
    return f"Chart of {chart.title}, {stretch}: {lines}.{faults}{more}"


def _line_in_words(line: Line, unit: str) -> str:
    values, name = line.values, f"{line.name}: " if line.name else ""
    if not values:
        return f"{name}no values"
    low, high = shown(min(values), unit), shown(max(values), unit)
    return f"{name}last {shown(values[-1], unit)}, lowest {low}, highest {high}"


async def picture(chart: Chart, name: str) -> File | None:
    """A PNG of it, described in words; None where the extra is missing or nothing is to be seen.

    Drawn in a thread: it takes a quarter of a second, and the first one its imports as well.
    """
    if not CHARTS.is_installed or not any(line.values for line in chart.drawn):
        return None
    data = await asyncio.to_thread(_drawn, chart)
    return File(name=name, content_type="image/png", data=data, description=in_words(chart))


def _drawn(chart: Chart) -> bytes:
    # Imported here: it brings 130 MB of libraries that few installations have.
    from lycatra_appservice.tools._chart_drawing import draw

    return draw(chart)
