"""Draws a chart as a PNG; needs the extra `charts`, so import it late and in a thread.

Nothing of matplotlib's global state is used: no pyplot, no styles, no window.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from io import BytesIO
from threading import Lock
from typing import Final

from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.ticker import MaxNLocator

from lycatra_appservice.tools._charts import MOST_LINES, Chart, Line, short_name
from lycatra_appservice.tools._figures import Scale

_INCHES: Final = (6.4, 3.6)
_DPI: Final = 150  # 960 by 540: sharp on a phone, and some 50 KiB
# An opaque light card is legible in dark and light clients alike; a transparent one in neither.
_PAPER, _INK, _GRID, _FAULT = "#fcfcfa", "#1f2328", "#d8dbe0", "#d1242f"
# Told apart by people who see few colours, too (after Okabe and Ito), and by their dashes.
_COLOURS = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#56b4e9",
    "#8a6d00",
    "#333333",
    "#e69f00",
)
_DASHES = ("-", "--", "-.", ":")
_FONT = FontProperties(family="DejaVu Sans")  # the one that matplotlib brings
# Short to long: the mark of a tick where something rounder begins, such as a new day at 00:00.
_TICKS = ["%Y", "%Y-%m", "%m-%d", "%H:%M", "%H:%M", "%H:%M:%S"]
_ROUND_TICKS = ["", "%Y", "%Y-%m", "%m-%d", "%H:%M", "%H:%M"]
_REST = ["", "%Y", "%Y", "%Y-%m-%d", "%Y-%m-%d", "%Y-%m-%d"]
_ONE_AT_A_TIME: Final = Lock()  # matplotlib is not made for threads


def draw(chart: Chart) -> bytes:
    """A PNG of some 960 by 540 points. Blocks; may be called in any thread."""
    with _ONE_AT_A_TIME:
        figure = Figure(figsize=_INCHES, dpi=_DPI, facecolor=_PAPER, layout="constrained")
        axes = figure.add_subplot()
        scale = chart.scale
        for number, line in enumerate(chart.lines[:MOST_LINES]):
            _draw_line(axes, line, scale, number)
        for begin, end in chart.faults:
            axes.axvspan(_day(begin), _day(end), color=_FAULT, alpha=0.15, linewidth=0)
        _mark_values(axes, chart, scale)
        _mark_times(axes, chart)
        axes.set_title(_plain(chart.title), fontproperties=_FONT, color=_INK, size=13, loc="left")
        _legend(axes, chart.lines[:MOST_LINES])
        png = BytesIO()
        figure.savefig(png, format="png")  # by Agg
        return png.getvalue()


def _draw_line(axes: Axes, line: Line, scale: Scale, number: int) -> None:
    fine = set(line.values)
    values = [
        value / scale.factor if value is not None and value in fine else float("nan")
        for _, value in line.points
    ]
    axes.plot(
        [_day(when) for when, _ in line.points],
        values,
        color=_COLOURS[number % len(_COLOURS)],
        linestyle=_DASHES[number % len(_DASHES)],
        linewidth=1.8,
        # A point alone between two gaps has no line, and is seen all the same.
        marker="o" if len(line.values) == 1 else None,
    )


def _mark_values(axes: Axes, chart: Chart, scale: Scale) -> None:
    values = [value / scale.factor for line in chart.lines for value in line.values]
    if values and 0 <= min(values) <= 0.6 * max(values):
        axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5))
    axes.set_ylabel(_plain(scale.unit), fontproperties=_FONT, color=_INK, size=11)
    axes.grid(visible=True, axis="y", color=_GRID, linewidth=0.8)
    axes.set_facecolor(_PAPER)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(_GRID)


def _mark_times(axes: Axes, chart: Chart) -> None:
    times = [when for line in chart.lines for when, _ in line.points]
    if min(times) == max(times):  # or there would be an axis of years
        around = timedelta(minutes=30)
        axes.set_xlim(_day(min(times) - around), _day(max(times) + around))
    else:
        axes.set_xlim(_day(min(times)), _day(max(times)))
    where = AutoDateLocator(tz=chart.zone, minticks=3, maxticks=7)
    axes.xaxis.set_major_locator(where)
    axes.xaxis.set_major_formatter(
        ConciseDateFormatter(
            where,
            tz=chart.zone,
            formats=_TICKS,
            zero_formats=_ROUND_TICKS,
            offset_formats=_REST,
        )
    )
    axes.xaxis.get_offset_text().set_color(_INK)
    axes.tick_params(colors=_INK, labelsize=11, length=0)


def _legend(axes: Axes, lines: Sequence[Line]) -> None:
    if len(lines) < 2:
        return
    axes.figure.legend(
        axes.get_lines(),
        [_plain(short_name(line.name)) for line in lines],
        loc="outside lower left",
        ncols=2,
        prop=FontProperties(family="DejaVu Sans", size=10),
        frameon=False,
        labelcolor=_INK,
    )


def _day(when: datetime) -> float:
    return float(date2num(when))


def _plain(text: str) -> str:
    """Text as it is: no mathematics between dollars, and no letter that the font has not."""
    known = get_font(findfont(_FONT)).get_charmap()
    letters = (letter if ord(letter) in known else "?" for letter in text)
    return "".join(letters).lstrip("_").replace("$", r"\$")
