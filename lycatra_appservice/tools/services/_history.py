"""What is remembered of one service: when it went up and down, and the last day and a half; pure.

Times are whole seconds since 1970, and all of it together fits into one value of a tool's state.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

SLOT_S: Final = 300
KEPT_SLOTS: Final = 36 * 3600 // SLOT_S
MOST_CHANGES: Final = 24
# Between two looks. What was longer ago says nothing of the time since.
LONGEST_GAP_S: Final = 600

_DAY_S = 24 * 3600
_LONGEST_DETAIL = 100  # characters of JSON
_SLOWEST_MS = 99_999
_MOST_RESTARTS = 99


class Change(NamedTuple):
    """From then on it was so; `detail` is what was seen first."""

    at: int
    ok: bool
    detail: str


class Slot(NamedTuple):
    """Five minutes, the `number`-th since 1970: what is neither up nor down was not looked at.

    `slowest_ms` is of looks that found it up, 0 without any.
    """

    number: int
    up_s: int
    down_s: int
    slowest_ms: int
    restarts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look at it, as the history needs it."""

    at: int
    ok: bool
    detail: str
    took_ms: int
    restarts: int | None = None
    running_since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """`changes` and `slots` with the newest last.

    `has_gap` says that it was not looked at all the time since the last change.
    """

    looked_at: int
    ok: bool
    has_gap: bool = False
    restarts: int | None = None
    started_at: int | None = None
    changes: tuple[Change, ...] = ()
    slots: tuple[Slot, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What became of a stretch of time; the rest of it was not looked at."""

    up_s: int = 0
    down_s: int = 0
    restarts: int = 0

    @property
    def up_percent(self) -> float | None:
        """Of the time that was looked at; never 100 when some of it was down."""
        known_s = self.up_s + self.down_s
        return 10_000 * self.up_s // known_s / 100 if known_s else None


def after(history: History | None, look: Look) -> History:
    """The history with one look more; one that is older than the last changes nothing."""
    if history is None:
        history = History(looked_at=look.at, ok=look.ok)
    elif look.at < history.looked_at:
        return history
    gap_s = look.at - history.looked_at
    is_new = not history.changes or history.changes[-1].ok != look.ok
    change = Change(look.at, look.ok, short(look.detail))
    return History(
        looked_at=look.at,
        ok=look.ok,
        has_gap=not is_new and (history.has_gap or gap_s > LONGEST_GAP_S),
        restarts=history.restarts if look.restarts is None else look.restarts,
        started_at=_start(look) or history.started_at,
        changes=(*history.changes, *([change] if is_new else []))[-MOST_CHANGES:],
        slots=_slots_after(history, look),
    )


def account(history: History, since_s: int) -> Account:
    """What became of the time from then on, to five minutes."""
    slots = [each for each in history.slots if each.number >= since_s // SLOT_S]
    return Account(
        up_s=sum(each.up_s for each in slots),
        down_s=sum(each.down_s for each in slots),
        restarts=sum(each.restarts for each in slots),
    )


def short(detail: str) -> str:
    """As much of a detail as is kept, however it is encoded."""
    text = " ".join(detail.split())
    if len(json.dumps(text)) <= _LONGEST_DETAIL:
        return text
    while len(json.dumps(text)) >= _LONGEST_DETAIL - len("\\u2026"):
        text = text[:-1]
    return f"{text}…"


def _slots_after(history: History, look: Look) -> tuple[Slot, ...]:
    slots = {each.number: each for each in history.slots}
    if look.at - history.looked_at <= LONGEST_GAP_S:
        for number, seconds in _parts(history.looked_at, look.at):
            slot = slots.get(number, Slot(number, 0, 0, 0, 0))
            added = (
                {"up_s": slot.up_s + seconds} if history.ok else {"down_s": slot.down_s + seconds}
            )
            slots[number] = slot._replace(**added)
    number = look.at // SLOT_S
    slot = slots.get(number, Slot(number, 0, 0, 0, 0))
    took_ms = min(look.took_ms, _SLOWEST_MS) if look.ok else 0
    slots[number] = slot._replace(
        slowest_ms=max(slot.slowest_ms, took_ms),
        restarts=min(slot.restarts + _restarts_between(history, look), _MOST_RESTARTS),
    )
    return tuple(slots[each] for each in sorted(slots) if each > number - KEPT_SLOTS)


def _parts(begin: int, end: int) -> Iterator[tuple[int, int]]:
    """The slots that a stretch of time touches, with its seconds in each."""
    while begin < end:
        number = begin // SLOT_S
        border = min(end, (number + 1) * SLOT_S)
        yield number, border - begin
        begin = border


def _restarts_between(history: History, look: Look) -> int:
    """By the engine's count; one that somebody else did shows in a later start alone."""
    if look.at - history.looked_at > _DAY_S:
        return 0  # nobody knows when
    counted = 0
    if look.restarts is not None and history.restarts is not None:
        counted = max(0, look.restarts - history.restarts)
    start = _start(look)
    is_later = start is not None and history.started_at is not None and start > history.started_at
    return max(counted, int(is_later))


def _start(look: Look) -> int | None:
    return int(look.running_since.timestamp()) if look.running_since is not None else None
