"""What people read when a service goes down, comes up again, or does both all the time."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from lycatra_appservice.tools.services._faults import CALM_S, Event, Kind
from lycatra_appservice.tools.services._history_words import how_long


def told(service: str, event: Event, zone: ZoneInfo) -> str:
    """One line of Markdown; times are those of the zone."""
    look, detail = f"`!get service status {service}`", event.detail.rstrip(".")
    match event.kind:
        case Kind.FAULT:
            since = _clock(event.since, event.at, zone)
            return f"❌ **{service} is down** since {since}: {detail}. Look: {look}"
        case Kind.FLAPPING:
            return (
                f"⚠️ **{service} is flapping**: it went down {event.falls} times in "
                f"{how_long(max(60, event.at - event.since))}, now with: {detail}. I say "
                f"no more of it until it has not changed for {how_long(CALM_S)}. Look: {look}"
            )
        case Kind.RECOVERED:
            since = _clock(event.since, event.at, zone)
            lasted = how_long(event.until - event.since)
            return f"✅ **{service} is up again** after {lasted}, down since {since}"


def _clock(moment: int, now: int, zone: ZoneInfo) -> str:
    """`14:02`, with its day where that is another one."""
    when, today = (datetime.fromtimestamp(each, UTC).astimezone(zone) for each in (moment, now))
    return when.strftime("%H:%M" if when.date() == today.date() else "%Y-%m-%d %H:%M")
