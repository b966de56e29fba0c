"""Times of the week in which nothing may be changed, as a configuration writes them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WRITTEN: Final = re.compile(
    r"(?:(?P<first>[a-z]{3})(?:\s*-\s*(?P<last>[a-z]{3}))?)?"
    r"(?:\s*(?P<begins>\d{1,2}:\d{2})\s*-\s*(?P<ends>\d{1,2}:\d{2}))?"
)
_SHAPE: Final = "should be like 'fri 18:00-24:00', 'sat-sun' or '22:00-06:00'"
_MIDNIGHT: Final = time()
_WEEK: Final = timedelta(weeks=1)  # after which it all comes again
_SOME_DAY: Final = datetime(2001, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class FreezeTime:
    """A span on some days of the week; one that ends before it begins goes on after midnight."""

    written: str
    days: frozenset[int]  # on which it begins; Monday is 0
    begins: time
    ends: time  # midnight is the end of the day

    def end_after(self, moment: datetime) -> datetime | None:
        """When the span ends that `moment` lies in, in the time zone of `moment`."""
        today = moment.date()
        for day in (today - timedelta(days=1), today):
            begin, end = self._on(day, moment)
            if day.weekday() in self.days and begin <= moment < end:
                return end
        return None

    def _on(self, day: date, moment: datetime) -> tuple[datetime, datetime]:
        last_day = day if self.ends > self.begins else day + timedelta(days=1)
        return (
            datetime.combine(day, self.begins, moment.tzinfo),
            datetime.combine(last_day, self.ends, moment.tzinfo),
        )


def read_freeze_time(written: str) -> FreezeTime:
    """Read what somebody wrote; ValueError, with a sentence, for what is none."""
    found = _WRITTEN.fullmatch(written.strip().lower())
    if found is None or not written.strip():
        raise ValueError(_SHAPE)
    try:
        return FreezeTime(
            written=written.strip(),
            days=_days(found["first"], found["last"]),
            begins=_clock(found["begins"]),
            ends=_clock(found["ends"]),
        )
    except ValueError:
        raise ValueError(_SHAPE) from None


def frozen_until(freeze: Sequence[FreezeTime], now: datetime) -> datetime | None:
    """When changes are possible again; None when they are. `now` is in the configured zone."""
    end = now
    while end - now < _WEEK:
        ends = [each for span in freeze if (each := span.end_after(end)) is not None]
        if not ends:
            break
        end = max(ends)
    return end if end > now else None


def is_endless(freeze: Sequence[FreezeTime]) -> bool:
    """Whether these leave no moment of the week."""
    end = frozen_until(freeze, _SOME_DAY)
    return end is not None and end - _SOME_DAY >= _WEEK


def _days(first: str | None, last: str | None) -> frozenset[int]:
    if first is None:
        return frozenset(range(len(_DAYS)))
    begin = _DAYS.index(first)
    length = (_DAYS.index(last or first) - begin) % len(_DAYS) + 1
    return frozenset((begin + n) % len(_DAYS) for n in range(length))


def _clock(written: str | None) -> time:
    if written in (None, "24:00"):
        return _MIDNIGHT
    hour, _, minute = written.partition(":")
    return time(int(hour), int(minute))
