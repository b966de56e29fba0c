"""Tells the history of a service: as facts for a program, and as a few sentences for people."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from lycatra_appservice.toolkit.base import JSON
from lycatra_appservice.tools._tables import minute
from lycatra_appservice.tools.services._history import Account, Change, History, account

_DAY_S = 24 * 3600
_NEARLY_ALL = 0.95  # of a day, less of which is said
_SHOWN_CHANGES = 6


def history_as_json(history: History, now: datetime, zone: ZoneInfo) -> JSON:
    """The facts; `since` is when its state of now was seen first."""
    day, today = _day(history, now), _today(history, now, zone)
    return {
        "since": _moment(history.changes[-1].at).astimezone(zone).isoformat(),
        "looked_at_all_the_time_since": not history.has_gap,
        "up_percent_24h": day.up_percent,
        "looked_at_hours_24h": round((day.up_s + day.down_s) / 3600, 1),
        "down_minutes_24h": round(day.down_s / 60),
        "down_minutes_today": round(today.down_s / 60),
        "restarts_24h": day.restarts,
        "changes": [
            {
                "at": _moment(each.at).astimezone(zone).isoformat(),
                "ok": each.ok,
                "detail": each.detail,
            }
            for each in history.changes[-_SHOWN_CHANGES:]
        ],
    }


def history_as_markdown(history: History, now: datetime, zone: ZoneInfo) -> str:
    """A list, of the state of now, of the last day, and of what changed."""
    lines = [_state(history, now, zone), _last_day(history, now, zone)]
    before = history.changes[-_SHOWN_CHANGES:-1]
    if before:
        lines.append(f"Before: {'; '.join(_change(each, zone) for each in reversed(before))}")
    return "\n".join(f"- {each}" for each in lines)


def how_long(seconds: int) -> str:
    """`40 s`, `12 min`, `2 h 5 min`, `3 d 4 h`."""
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // _DAY_S
    if minutes < 1:
        return f"{max(seconds, 0)} s"
    if hours < 1:
        return f"{minutes} min"
    if days < 1:
        return f"{hours} h {minutes % 60} min".removesuffix(" 0 min")
    return f"{days} d {hours % 24} h".removesuffix(" 0 h")


def _state(history: History, now: datetime, zone: ZoneInfo) -> str:
    last = history.changes[-1]
    state = "Up" if last.ok else "Down"
    since = minute(_moment(last.at), zone)
    if history.has_gap:
        return f"{state} at every look since {since}, but I did not look all the time"
    seconds = int(now.timestamp()) - last.at
    first = "" if len(history.changes) > 1 else ", when I looked for the first time"
    return f"{state} since {since} ({how_long(seconds)}){first}"


def _last_day(history: History, now: datetime, zone: ZoneInfo) -> str:
    day, today = _day(history, now), _today(history, now, zone)
    known_s = day.up_s + day.down_s
    said: list[str] = []
    if day.up_percent is not None:
        stretch = (
            "the last 24 h"
            if known_s >= _NEARLY_ALL * _DAY_S
            else f"the {how_long(known_s)} that I looked at in the last 24 h"
        )
        said.append(f"up {day.up_percent:g} % of {stretch}")
    else:
        said.append("not looked at often enough to tell of the last 24 h")
    if day.down_s:
        said.append(f"down {how_long(today.down_s)} today")
    if day.restarts:
        said.append(f"{day.restarts} restart{'s' if day.restarts > 1 else ''}")
    text = ", ".join(said)
    return text[0].upper() + text[1:]


def _day(history: History, now: datetime) -> Account:
    return account(history, int(now.timestamp()) - _DAY_S)


def _today(history: History, now: datetime, zone: ZoneInfo) -> Account:
    midnight = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    return account(history, int(midnight.timestamp()))


def _change(change: Change, zone: ZoneInfo) -> str:
    state = "up" if change.ok else f"down ({change.detail})"
    return f"{state} from {minute(_moment(change.at), zone)}"


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
