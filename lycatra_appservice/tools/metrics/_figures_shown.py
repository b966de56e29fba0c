"""How a figure looks that went somewhere: as JSON and as Markdown, in its unit and the zone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from lycatra_appservice.toolkit.base import JSON
from lycatra_appservice.tools._charts import Line
from lycatra_appservice.tools._figures import shown
from lycatra_appservice.tools._tables import minute, one_line, table
from lycatra_appservice.tools.metrics._settings import NamedQuery
from lycatra_appservice.tools.metrics._stretch import Stretch

_TITLES: Final = ("Of", "Last", "Mean", "Lowest", "Highest", "Missing")


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What became of one series: each of `lowest` and `highest` with its time.

    `last` is its newest value, which may be older than the end; `missing` are moments without.
    """

    last: tuple[datetime, float]
    lowest: tuple[datetime, float]
    highest: tuple[datetime, float]
    mean: float
    missing: int


def course_of(line: Line) -> Course:
    """Raises ValueError for a line without values."""
    known = [(when, value) for when, value in line.points if value is not None]
    if not known:
        raise ValueError("a line without values")
    return Course(
        last=known[-1],
        lowest=min(known, key=lambda each: each[1]),
        highest=max(known, key=lambda each: each[1]),
        mean=sum(value for _, value in known) / len(known),
        missing=len(line.points) - len(known),
    )


def line_as_json(line: Line, stretch: Stretch, zone: ZoneInfo) -> Mapping[str, JSON]:
    """One line of a figure; its values are in the figure's `unit`."""
    course = course_of(line)
    return {
        "name": line.name,
        "last": rounded(course.last[1]),
        "last_at": _moment(course.last[0], zone),
        "mean": rounded(course.mean),
        "lowest": rounded(course.lowest[1]),
        "lowest_at": _moment(course.lowest[0], zone),
        "highest": rounded(course.highest[1]),
        "highest_at": _moment(course.highest[0], zone),
        "missing_s": round(course.missing * stretch.step.total_seconds()),
    }


def lines_as_markdown(
    query: NamedQuery, lines: Sequence[Line], stretch: Stretch, zone: ZoneInfo
) -> str:
    """A table with a row for each line."""
    when = f"{minute(stretch.begin, zone)} to {minute(stretch.end, zone)}, {zone.key}"
    head = f"**{one_line(query.title)}** ({when})"
    if not lines:
        return f"{head}\n\nThere are no values."
    rows = [_TITLES, *([line.name, *_cells(line, query.unit, stretch, zone)] for line in lines)]
    # A column in which nothing stands only takes room.
    used = [column for column in zip(*rows, strict=True) if any(column[1:])]
    titles, *cells = zip(*used, strict=True)
    return f"{head}\n\n{table(titles, cells)}"


def _cells(line: Line, unit: str, stretch: Stretch, zone: ZoneInfo) -> Sequence[str]:
    course = course_of(line)
    is_old = course.last[0] < stretch.end
    return [
        _at(course.last, unit, zone) if is_old else shown(course.last[1], unit),
        shown(course.mean, unit),
        _at(course.lowest, unit, zone),
        _at(course.highest, unit, zone),
        f"{course.missing / (stretch.steps + 1):.0%}" if course.missing else "",
    ]


def _at(point: tuple[datetime, float], unit: str, zone: ZoneInfo) -> str:
    when = point[0].astimezone(zone)
    return f"{shown(point[1], unit)} ({when:%m-%d %H:%M})"


def rounded(value: float) -> float:
    """Six digits are more than anybody reads."""
    return float(f"{value:.6g}")


def _moment(when: datetime, zone: ZoneInfo) -> str:
    return when.astimezone(zone).isoformat(timespec="seconds")
