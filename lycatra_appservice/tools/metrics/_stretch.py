"""From when to when a figure is looked at, and how closely; pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

_MOST_POINTS: Final = 300  # a picture is 960 points wide
_STEPS: Final = (
    *(timedelta(seconds=each) for each in (15, 30)),
    *(timedelta(minutes=each) for each in (1, 2, 5, 10, 15, 30)),
    *(timedelta(hours=each) for each in (1, 2, 3, 6, 12)),
    *(timedelta(days=each) for each in (1, 2, 7)),
)
LONGEST: Final = _STEPS[-1] * _MOST_POINTS
# Prometheus is asked for its figures each minute, or oftener: less holds too few of them.
_SHORTEST_WINDOW: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Whole steps from `begin` to `end`, both of which count; aware."""

    begin: datetime
    end: datetime
    step: timedelta

    @property
    def times(self) -> list[datetime]:
        """Each moment that there should be a value of."""
        return [self.begin + number * self.step for number in range(self.steps + 1)]

    @property
    def steps(self) -> int:
        """How many steps it has."""
        return (self.end - self.begin) // self.step


def stretch_between(since: datetime, until: datetime) -> Stretch:
    """From `since`, or a little later, exactly to `until`, so that the last value is the newest.

    Raises ValueError with a sentence for people.
    """
    length = until - since
    if length < _STEPS[0]:
        raise ValueError("it has to begin before it ends")
    if length > LONGEST:
        raise ValueError(f"it may be {LONGEST.days} days long at most")
    step = next(each for each in _STEPS if length / each <= _MOST_POINTS)
    return Stretch(begin=until - (length // step) * step, end=until, step=step)


def with_window(query: str, step: timedelta | None) -> str:
    """The query with the time that `$step` stands for."""
    window = max(step or _SHORTEST_WINDOW, _SHORTEST_WINDOW)
    return query.replace("$step", f"{window.total_seconds():.0f}s")
