"""Times as people ask for them: `6h`, `yesterday`, `2026-11-22T09:00`."""

import re
from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

# What `since` and `until` take.
ASKED: Final = (
    r"^([0-9]{1,4} ?(m|min|h|d|w)|today|yesterday|"
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:?[0-9]{2})?)?)$"
)
_AGO: Final = re.compile(r"(\d{1,4}) ?(m|min|h|d|w)")
_UNITS: Final[Mapping[str, timedelta]] = {
    "m": timedelta(minutes=1),
    "min": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}


def asked_time(words: str, now: datetime, zone: ZoneInfo) -> datetime:
    """The moment that somebody means; a time without a zone is one of `zone`.

    Raises ValueError for what is none.
    """
    if ago := _AGO.fullmatch(words):
        return now - int(ago[1]) * _UNITS[ago[2]]
    today = datetime.combine(now.astimezone(zone).date(), time.min, zone)
    if words in ("today", "yesterday"):
        return today if words == "today" else today - timedelta(days=1)
    moment = datetime.fromisoformat(words)
    return moment.replace(tzinfo=zone) if moment.tzinfo is None else moment
