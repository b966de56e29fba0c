"""Events told apart and made ready to be stored; pushed ones and found ones the same way."""

import json
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Final, Protocol, assert_never

from lycatra_appservice.db.connection import Connection
from lycatra_appservice.intake.classify import (
    Classifier,
    Heartbeat,
    LiveEcho,
    Malformed,
    Never,
    Ours,
    Sealed,
    Verdict,
)
from lycatra_appservice.matrix.events import is_id, mapping
from lycatra_appservice.model import JSON, EventID, RoomID
from lycatra_appservice.turns.echoes import Echo
from lycatra_appservice.turns.inbox import Alongside
from lycatra_appservice.turns.records import DeadLetter, Trigger

_KEPT_BYTES: Final = 256 * 1024  # of a dead letter


class KnownRooms(Protocol):
    """What is remembered about rooms for speed, and kept of them in tables."""

    def is_crowd(self, room_id: RoomID) -> bool:
        """Whether a room surely holds so many people that it cannot be a DM soon."""

    def forget(self, room_id: RoomID) -> None:
        """Its people may have changed."""

    async def recall(self, room_ids: Iterable[RoomID]) -> None:
        """Look up rooms that are not remembered, as far as the database knows them."""

    async def keep(self, connection: Connection, events: Sequence[Mapping[str, JSON]]) -> None:
        """Follow state events in the transaction that stores them; must not raise for them."""

    async def drop_in(self, connection: Connection, room_ids: Iterable[RoomID]) -> None:
        """Forget rooms in that transaction, because what is known of them may be wrong."""


@dataclass(frozen=True, slots=True)
class Sorted:
    """A transaction's events, told apart; `alongside` goes into the commit of the triggers.

    `sealed` are to be read by whoever has the keys.
    """

    triggers: Sequence[Trigger]
    dead_letters: Sequence[DeadLetter]
    heartbeats: Sequence[str]
    alongside: Alongside | None
    echoes: Sequence[Echo] = ()
    sealed: Sequence[Mapping[str, JSON]] = ()  # encrypted events


@dataclass(slots=True)
class _Found:
    triggers: list[Trigger] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    heartbeats: list[str] = field(default_factory=list)
    echoes: list[Echo] = field(default_factory=list)
    state: list[Mapping[str, JSON]] = field(default_factory=list)
    sealed: list[Mapping[str, JSON]] = field(default_factory=list)


class EventSorter:
    """Turns raw events into what is stored; the gap check uses it, too."""

    def __init__(self, classifier: Classifier, rooms: KnownRooms) -> None:
        self._classifier = classifier
        self._rooms = rooms

    async def recall_rooms(self, events: Sequence[JSON]) -> None:
        """Know crowds before sorting, where there is time for it.

        What they said was left out when it was pushed, and would be stored as new without this.
        """
        rooms = [mapping(event).get("room_id") for event in events]
        await self._rooms.recall(RoomID(room) for room in rooms if is_id(room))

    def sort(self, events: Sequence[JSON], *, via: str) -> Sorted:
        """Tell events apart, in their order."""
        found = _Found()
        for event in events:
            self._put(found, event, self._classifier.classify(event, self._rooms.is_crowd), via)
        return Sorted(
            found.triggers,
            found.dead_letters,
            found.heartbeats,
            self._alongside(found.state, via) if found.state else None,
            found.echoes,
            found.sealed,
        )

    def _put(self, found: "_Found", event: JSON, verdict: Verdict, via: str) -> None:
        match verdict:
            case Ours():
                self._put_ours(found, event, verdict, via)
            case Malformed(reason):
                found.dead_letters.append(_dead_letter(event, reason))
            case Heartbeat(nonce):
                found.heartbeats.append(nonce)
            case Sealed():
                self._put_sealed(found, event)
            case LiveEcho(draft):
                found.echoes.append(Echo(EventID(event["event_id"]), draft))
            case Never():
                pass
            case _:
                assert_never(verdict)

    def _put_ours(self, found: "_Found", event: Mapping[str, JSON], ours: Ours, via: str) -> None:
        try:
            found.triggers.append(self._trigger(event, ours, via))
        except RecursionError:
            found.dead_letters.append(_dead_letter(event, "too deep to write"))
            return
        if "state_key" in event:
            found.state.append(event)

    @staticmethod
    def _put_sealed(found: "_Found", event: Mapping[str, JSON]) -> None:
        try:
            json.dumps(event)
        except RecursionError:
            found.dead_letters.append(_dead_letter(event, "too deep to write"))
        else:
            found.sealed.append(event)

    def _alongside(self, state: Sequence[Mapping[str, JSON]], via: str) -> Alongside:
        """Keep what rooms become in the commit that stores it: what comes later must see it.

        Events that were found late may be older than what is known by now, so their rooms are
        read anew.
        """

        async def keep(connection: Connection, new: Set[str]) -> None:
            events = [event for event in state if event["event_id"] in new]
            if via == "push":
                await self._rooms.keep(connection, events)
            else:
                rooms = [RoomID(event["room_id"]) for event in events]
                await self._rooms.drop_in(connection, rooms)

        return keep

    def _trigger(self, event: Mapping[str, JSON], ours: Ours, via: str) -> Trigger:
        if event["type"] == "m.room.member":
            self._rooms.forget(RoomID(event["room_id"]))
        stored = {
            "event": event,
            "age_ms": _pushed_age_ms(event),
            "surely": ours.surely,
            "via": via,
        }
        return Trigger(
            id=event["event_id"], lane=ours.lane, kind=ours.kind, input=json.dumps(stored)
        )


def _pushed_age_ms(event: Mapping[str, JSON]) -> int | None:
    """The age by the homeserver's own clock, which is right even after its crash."""
    age = mapping(event.get("unsigned")).get("age")
    return age if isinstance(age, int) else None


def _dead_letter(event: JSON, reason: str) -> DeadLetter:
    event_id = mapping(event).get("event_id")
    try:
        raw = json.dumps(event).encode()[:_KEPT_BYTES]
    except RecursionError:
        raw = b""
    return DeadLetter(event_id=event_id if is_id(event_id) else None, reason=reason, raw=raw)


def unreadable(raw: bytes) -> DeadLetter:
    """An event that no parser could read."""
    return DeadLetter(event_id=None, reason="no parser can read it", raw=raw[:_KEPT_BYTES])
