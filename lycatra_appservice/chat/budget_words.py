"""The fixed texts about budgets: `slow down`, and what `!usage` shows."""

from collections.abc import Sequence
from datetime import timedelta
from typing import assert_never

from lycatra_appservice.budgets.limits import UNLIMITED, Kind, Refusal
from lycatra_appservice.words.spans import at_least
from lycatra_appservice.words.text import Said, Text


def amount(number: int) -> str:
    """A number of tokens that is short in every language: 950, 12.3k, 4.5M."""
    if number < 1000:
        return str(number)
    if number < 999_500:
        return f"{_three_digits(number / 1000)}k"
    return f"{_three_digits(number / 1_000_000)}M"


def slow_down(refusal: Refusal) -> Text:
    """For somebody who asks more than he may."""
    if refusal.wait is None:
        return Text("budget_none")
    wait = at_least(refusal.wait)
    match refusal.kind:
        case Kind.PERSON_TURNS:
            return Text("slow_down", limit=refusal.limit, wait=wait)
        case Kind.ROOM_TURNS:
            return Text("slow_down_room", limit=refusal.limit, wait=wait)
        case Kind.PERSON_TOKENS:
            return Text("tokens_spent", limit=amount(refusal.limit), wait=wait)
        case Kind.ROOM_TOKENS:
            return Text("tokens_spent_room", limit=amount(refusal.limit), wait=wait)
        case Kind.BOTS:
            return Text("like_bots", limit=refusal.limit, wait=wait)
        case _:
            assert_never(refusal.kind)


def usage(lines: Sequence[Said]) -> Text:
    """For `!usage`, line by line."""
    return Text("lines", lines=lines)


def usage_own(used: int, limit: int, ends_in: timedelta, *, is_estimated: bool) -> Text:
    """The line of the asker's tokens of today."""
    shown: Said = Text("usage_estimated", tokens=amount(used)) if is_estimated else amount(used)
    if limit >= UNLIMITED:
        return Text("usage_own_unlimited", used=shown)
    left = amount(max(limit - used, 0))
    return Text("usage_own", used=shown, limit=amount(limit), left=left, wait=at_least(ends_in))


def usage_room(used: int, limit: int) -> Text:
    """The line of the tokens of all people of the room."""
    if limit >= UNLIMITED:
        return Text("usage_room_unlimited", used=amount(used))
    return Text("usage_room", used=amount(used), limit=amount(limit))


def usage_turns(turns: int) -> Text:
    """The line of how often the asker may ask."""
    return Text("usage_turns", turns=turns)


def usage_nothing(days: int) -> Text:
    """For an admin, when nobody has asked any model."""
    return Text("usage_nothing", days=days)


def usage_of_all(bars: str, most: int, rows: Sequence[Said], zone: str) -> Text:
    """For an admin: a character a day, today last, and the rows of a table."""
    return Text("usage_of_all", bars=bars, days=len(bars), most=amount(most), rows=rows, zone=zone)


def usage_head(of: str) -> Text:
    """A row that says what those below it are: `all`, `person`, `room`, `level`, `model`."""
    return Text(f"usage_by_{of}")


def usage_row(name: Said, tokens: Sequence[int]) -> Text:
    """A row: today, a week, a month."""
    today, week, month = (amount(each) if each else "" for each in tokens)
    return Text("usage_row", name=name, today=today, week=week, month=month)


def usage_others(number: int) -> Text:
    """The name of the row for all that have none of their own."""
    return Text("usage_others", number=number)


def _three_digits(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0") if number < 99.95 else f"{number:.0f}"
