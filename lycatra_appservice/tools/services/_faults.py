"""Decides from looks at a service what is worth telling: a fault, its end, or flapping; pure.

well → (bad in a row) → fault → (good in a row) → well; whatever goes down again and again is
flapping, until it has stayed the same for a while. Times are seconds since 1970.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

WINDOW_S: Final = 30 * 60  # in which going down again is flapping
CALM_S: Final = 15 * 60  # without any change, after which it is not
_FALLS_OF_FLAPPING = 4  # in that window, even when none lasts long enough for a fault
# Looks that are nearer to each other are one: two replicas may look at once.
_SPACING_S = 20
_LONGEST_GAP_S = 600  # what was seen longer ago is not in a row with what is seen now


class Standing(StrEnum):
    """What is known of a service, and told."""

    WELL = "well"
    FAULT = "fault"
    FLAPPING = "flapping"


class Kind(StrEnum):
    """What happened."""

    FAULT = "fault"
    FLAPPING = "flapping"
    RECOVERED = "recovered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One look."""

    at: int
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something to tell once. `at` and `kind` together are its name, `ends` is that of another.

    `since` is when it began: for a recovery, when the fault did, which ended at `until`. `falls`
    are how often it went down lately.
    """

    kind: Kind
    at: int
    since: int
    detail: str
    until: int = 0
    falls: int = 1
    ends: str | None = None

    @property
    def name(self) -> str:
        """Tells it from all other events of its service."""
        return f"{self.kind}/{self.at}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What has to be remembered between two looks at a service.

    `in_a_row` looks since `row_since` were alike; `began` is of the fault that stands. `event` is
    the newest one, for whoever was cut off before it was told.
    """

    looked_at: int
    ok: bool
    row_since: int
    in_a_row: int = 1
    standing: Standing = Standing.WELL
    began: int = 0
    falls: tuple[int, ...] = ()
    told_at: tuple[int, ...] = ()  # the faults in the window
    event: Event | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Damping:
    """How many looks in a row it takes to believe that it is down, and that it is up again."""

    bad_looks: int = 2
    good_looks: int = 2


def after(fault: Fault | None, seen: Seen, damping: Damping) -> Fault:
    """What is remembered after a look; an `event` that is new in it is to be told."""
    if fault is None:
        fell = () if seen.ok else (seen.at,)
        fault = Fault(looked_at=seen.at, ok=seen.ok, row_since=seen.at, falls=fell)
    elif seen.at - fault.looked_at < _SPACING_S:
        return fault
    else:
        fault = _counted(fault, seen)
    match fault.standing:
        case Standing.WELL:
            return _when_well(fault, seen, damping)
        case Standing.FAULT:
            return _when_down(fault, seen, damping)
        case Standing.FLAPPING:
            return _when_flapping(fault, seen)


def _counted(fault: Fault, seen: Seen) -> Fault:
    is_in_row = seen.ok == fault.ok and seen.at - fault.looked_at <= _LONGEST_GAP_S
    fell = (seen.at,) if fault.ok and not seen.ok else ()
    return replace(
        fault,
        looked_at=seen.at,
        ok=seen.ok,
        row_since=fault.row_since if is_in_row else seen.at,
        in_a_row=fault.in_a_row + 1 if is_in_row else 1,
        falls=tuple(each for each in (*fault.falls, *fell) if seen.at - each < WINDOW_S),
        told_at=tuple(each for each in fault.told_at if seen.at - each < WINDOW_S),
    )


def _when_well(fault: Fault, seen: Seen, damping: Damping) -> Fault:
    is_down = not seen.ok and fault.in_a_row >= damping.bad_looks
    flaps = len(fault.falls) >= _FALLS_OF_FLAPPING or (is_down and bool(fault.told_at))
    if not seen.ok and flaps:
        began = fault.told_at[0] if fault.told_at else fault.falls[0]
        return _begun(fault, seen, Kind.FLAPPING, began)
    if is_down:
        return _begun(fault, seen, Kind.FAULT, fault.row_since)
    return fault


def _when_down(fault: Fault, seen: Seen, damping: Damping) -> Fault:
    if seen.ok and fault.in_a_row >= damping.good_looks:
        return _recovered(fault, seen)
    return fault


def _when_flapping(fault: Fault, seen: Seen) -> Fault:
    if seen.at - fault.row_since < CALM_S:
        return fault
    if seen.ok:
        return _recovered(fault, seen)
    return _begun(fault, seen, Kind.FAULT, fault.row_since)


def _begun(fault: Fault, seen: Seen, kind: Kind, since: int) -> Fault:
    ended = fault.event if fault.standing is Standing.FLAPPING else None
    event = Event(
        kind=kind,
        at=seen.at,
        since=since,
        detail=seen.detail,
        falls=max(1, len(fault.falls)),
        ends=ended.name if ended else None,
    )
    return replace(
        fault,
        standing=Standing.FLAPPING if kind is Kind.FLAPPING else Standing.FAULT,
        began=since,
        told_at=(*fault.told_at, since),
        event=event,
    )


def _recovered(fault: Fault, seen: Seen) -> Fault:
    event = Event(
        kind=Kind.RECOVERED,
        at=seen.at,
        since=fault.began,
        until=fault.row_since,
        detail=seen.detail,
        ends=fault.event.name if fault.event else None,
    )
    return replace(fault, standing=Standing.WELL, event=event)
