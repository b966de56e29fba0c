"""Draws a chart as a PNG; needs the extra `charts`, so import it late and in a thread.

Nothing of matplotlib's global state is used: no pyplot, no styles, no window.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from io import BytesIO
from math import isfinite, isnan, nan
from threading import Lock
from typing import Final

from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from lycatra_appservice.tools._charts import Chart, Line
from lycatra_appservice.tools._figures import Scale

# Small, so that its letters are large where it is shown small; and more for each two names.
_WIDTH, _HEIGHT, _NAMES_HEIGHT = 5.4, 3.1, 0.22
_TITLE, _NAME = 46, 25  # letters that there is room for
_DPI: Final = 180  # sharp on a phone, and some 50 KiB
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
    """A PNG, 972 points wide and some 560 high. Blocks; may be called in any thread."""
    with _ONE_AT_A_TIME:
        height = _HEIGHT + _NAMES_HEIGHT * ((len(chart.drawn) + 1) // 2)
        layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.1)
        figure = Figure(figsize=(_WIDTH, height), dpi=_DPI, facecolor=_PAPER, layout=layout)
        axes = figure.add_subplot()
        scale = chart.scale
        curves = [_draw_line(axes, line, scale, number) for number, line in enumerate(chart.drawn)]
        for begin, end in chart.faults:
            axes.axvspan(_day(begin), _day(end), color=_FAULT, alpha=0.15, linewidth=0)
        _mark_values(axes, chart, scale)
        _mark_times(axes, chart)
        axes.set_title(
            _plain(_cut(chart.title, _TITLE)),
            fontproperties=_FONT,
            color=_INK,
            size=13,
            loc="left",
        )
        _legend(figure, curves, chart.drawn)
        png = BytesIO()
        figure.savefig(png, format="png")  # by Agg
        return png.getvalue()


def _draw_line(axes: Axes, line: Line, scale: Scale, number: int) -> Line2D:
    values = [
        value / scale.factor if value is not None and isfinite(value) else nan
        for _, value in line.points
    ]
    days, colour = [_day(when) for when, _ in line.points], _COLOURS[number % len(_COLOURS)]
    dashes = _DASHES[number % len(_DASHES)]
    [curve] = axes.plot(days, values, color=colour, linestyle=dashes, linewidth=1.8, clip_on=False)
    # A point between two gaps has no line, and is seen all the same.
    alone = _alone(values)
    axes.plot(
        [days[each] for each in alone],
        [values[each] for each in alone],
        color=colour,
        linestyle="none",
        marker="o",
        markersize=4,
    )
    return curve


def _alone(values: Sequence[float]) -> list[int]:
    known = [False, *(not isnan(value) for value in values), False]
    return [
        number
        for number in range(len(values))
        if known[number + 1] and not known[number] and not known[number + 2]
    ]


def _mark_values(axes: Axes, chart: Chart, scale: Scale) -> None:
    values = [value / scale.factor for line in chart.drawn for value in line.values]
    lowest, highest = min(values, default=0.0), max(values, default=0.0)
    if lowest == highest >= 0:
        axes.set_ylim(0, 1.25 * highest or 1)
    elif 0 <= lowest <= 0.6 * highest:
        axes.set_ylim(bottom=0)
    axes.ticklabel_format(axis="y", style="plain", useOffset=False)
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
    times = [when for line in chart.drawn for when, _ in line.points]
    if min(times) == max(times):  # or there would be an axis of years
        around = timedelta(minutes=30)
        axes.set_xlim(_day(min(times) - around), _day(max(times) + around))
    else:
        axes.set_xlim(_day(min(times)), _day(max(times)))
    where = AutoDateLocator(tz=chart.zone, minticks=3, maxticks=6)
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
    axes.tick_params(axis="x", pad=7)


def _legend(figure: Figure, curves: Sequence[Line2D], lines: Sequence[Line]) -> None:
    if len(lines) < 2:
        return
    figure.legend(
        curves,
        [_plain(_cut(line.name, _NAME)) for line in lines],
        loc="outside lower left",
        ncols=2,
        prop=FontProperties(family="DejaVu Sans", size=10),
        frameon=False,
        labelcolor=_INK,
    )


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _day(when: datetime) -> float:
    return float(date2num(when))


def _plain(text: str) -> str:
    """Text as it is: no mathematics between dollars, and no letter that the font has not."""
    known = get_font(findfont(_FONT)).get_charmap()
    letters = (letter if ord(letter) in known else "?" for letter in text)
    return "".join(letters).lstrip("_").replace("$", r"\$")
