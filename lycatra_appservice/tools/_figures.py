"""Figures as people read them: in a unit that keeps them short, and what a row of them did."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

_BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_DECIMAL = ("", "k", "M", "G", "T", "P")
# From so many seconds on each is used: 90 s is read more easily than 1.5 min, 26 h than 1.1 d.
_TIMES = (
    (172_800.0, 86_400.0, "d"),
    (7_200.0, 3_600.0, "h"),
    (120.0, 60.0, "min"),
    (1.0, 1.0, "s"),
    (1e-3, 1e-3, "ms"),
    (0.0, 1e-6, "µs"),
)
_BYTES = {"b": "", "byte": "", "bytes": "", "b/s": "/s", "bytes/s": "/s"}
_SECONDS = ("s", "second", "seconds")
_DIGITS = 4


@dataclass(frozen=True, slots=True)
class Scale:
    """One unit for a whole picture: a value is divided by `factor`, and then in `unit`."""

    factor: float
    unit: str

    def shown(self, value: float) -> str:
        """`1.5 GiB`, `93.2 %`, `12` where there is no unit."""
        if not math.isfinite(value):
            return "no number" if math.isnan(value) else f"{'-' if value < 0 else ''}∞"
        return f"{_digits(value / self.factor)} {self.unit}".rstrip()


def scale_of(values: Sequence[float], unit: str) -> Scale:
    """The unit that suits the largest of them: bytes by 1024, seconds from µs to days, else k, M.

    A unit it does not know stays as it is, and its large figures get their k or M before it.
    """
    highest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    kind = unit.strip().casefold()
    if kind in _BYTES:
        step = _steps(highest, 1024, len(_BINARY))
        return Scale(1024.0**step, _BINARY[step] + _BYTES[kind])
    if kind in _SECONDS:
        return _of_seconds(highest)
    # Up to 9999 a figure is short enough as it is.
    step = _steps(highest, 1000, len(_DECIMAL)) if highest >= 10_000 else 0
    return Scale(1000.0**step, _DECIMAL[step] + unit.strip())


def shown(value: float, unit: str) -> str:
    """One figure by itself."""
    return scale_of([value], unit).shown(value)


def _of_seconds(highest: float) -> Scale:
    if highest == 0:
        return Scale(1.0, "s")
    return next(Scale(size, name) for least, size, name in _TIMES if highest >= least)


def _steps(highest: float, by: int, there_are: int) -> int:
    step = 0
    while highest >= by and step < there_are - 1:
        highest, step = highest / by, step + 1
    return step


def _digits(value: float) -> str:
    """Up to four digits that count, and never an exponent unless there is no other way."""
    if 1000 <= abs(value) < 1e6:
        return f"{value:.0f}"
    return f"{value:.{_DIGITS}g}"
