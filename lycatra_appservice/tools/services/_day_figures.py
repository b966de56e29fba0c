"""The last day of a service as figures to draw: its answers, and when it was down; pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Final

from lycatra_appservice.tools.services._history import SLOT_S, History, Slot

FEWEST_POINTS: Final = 6  # half an hour, below which there is nothing to see

_SLOTS_OF_A_DAY = 24 * 3600 // SLOT_S


@dataclass(frozen=True, slots=True, kw_only=True)
class DayFigures:
    """`slowest_s` by the beginning of each five minutes, None for none; `down` from and to."""

    slowest_s: Sequence[tuple[datetime, float | None]]
    down: Sequence[tuple[datetime, datetime]]

    @property
    def are_enough(self) -> bool:
        """Whether a picture shows anything."""
        return sum(value is not None for _, value in self.slowest_s) >= FEWEST_POINTS


def day_figures(history: History, now: datetime) -> DayFigures:
    """Of the 24 hours before, from the first time that it was looked at."""
    last = int(now.timestamp()) // SLOT_S
    slots = {each.number: each for each in history.slots if last - _SLOTS_OF_A_DAY < each.number}
    if not slots:
        return DayFigures(slowest_s=(), down=())
    numbers = range(min(slots), last + 1)
    return DayFigures(
        slowest_s=[(_begin(number), _slowest_s(slots.get(number))) for number in numbers],
        down=list(_stretches([each for each in numbers if _was_down(slots.get(each))])),
    )


def _was_down(slot: Slot | None) -> bool:
    return slot is not None and slot.down_s > 0


def _slowest_s(slot: Slot | None) -> float | None:
    return slot.slowest_ms / 1000 if slot is not None and slot.slowest_ms else None


def _stretches(numbers: Sequence[int]) -> Iterator[tuple[datetime, datetime]]:
    """Those that follow each other, as one."""
    for _, group in groupby(enumerate(numbers), lambda each: each[1] - each[0]):
        together = [number for _, number in group]
        yield _begin(together[0]), _begin(together[-1] + 1)


def _begin(number: int) -> datetime:
    return datetime.fromtimestamp(number * SLOT_S, UTC)
