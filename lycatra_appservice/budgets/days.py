"""Days of the configured time zone, which may have 23 or 25 hours. Pure."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


def day_of(now: datetime, zone: ZoneInfo) -> date:
    """The day that an aware moment belongs to there."""
    return now.astimezone(zone).date()


def until_next_day(now: datetime, zone: ZoneInfo) -> timedelta:
    """How long that day still lasts.

    Counted between moments of UTC: two clock times of one zone would be subtracted as if no
    clock was ever changed. Where midnight itself is skipped the next day begins later.
    """
    tomorrow = day_of(now, zone) + timedelta(days=1)
    begins = datetime.combine(tomorrow, time(0), zone).astimezone(UTC)
    return begins - now.astimezone(UTC)
