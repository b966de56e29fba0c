"""The gap check: what the homeserver never pushed is found by one incremental /sync a user.

Synapse (1.163) loses events that were queued behind a transaction when it is restarted, and may
stay silent after a crash. The first run on an empty database only sets the mark.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from lycatra_appservice.db.connection import Database
from lycatra_appservice.db.statements import Statements
from lycatra_appservice.matrix.client import MatrixClient
from lycatra_appservice.matrix.events import mapping, text
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import JSON, RoomID, UserID

_log = logging.getLogger(__name__)

_TIMELINE: Final = 50
_MAX_PAGES: Final = 10
_PAGE: Final = 100
_FILTER: Final[Mapping[str, JSON]] = {
    "presence": {"types": []},
    "account_data": {"types": []},
    "room": {
        "include_leave": True,
        "ephemeral": {"types": []},
        "account_data": {"types": []},
        "timeline": {"limit": _TIMELINE},
    },
}


class FoundEvents(Protocol):
    """Where found events go: the same way as pushed ones."""

    async def store_found(
        self,
        events: Sequence[JSON],
        to_device: Sequence[JSON],
        mark: "SyncMark",
    ) -> int:
        """Store events and the mark in one commit; return how many turns are new."""


@dataclass(frozen=True, slots=True)
class SyncMark:
    """How far a user's /sync has been read."""

    user_id: UserID
    next_batch: str


@dataclass(slots=True)
class _Found:
    events: list[JSON] = field(default_factory=list)
    gaps: list[tuple[RoomID, str]] = field(default_factory=list)


class GapObserver(Protocol):
    """Where the figures go."""

    def gaps_checked(self, found: int, ours: int) -> None:
        """Events seen by the check, and those among them that no push had brought."""


class GapCheck:
    """A duty of the leader."""

    def __init__(
        self,
        database: Database,
        client: MatrixClient,
        users: VirtualUsers,
        found: FoundEvents,
        observer: GapObserver,
    ) -> None:
        self._database = database
        self._sql = Statements.load(__package__, "presence", database.dialect)
        self._client = client
        self._users = users
        self._found = found
        self._observer = observer

    async def check(self) -> None:
        """Look once as every user; events that were pushed already change nothing."""
        for user in self._users.all:
            await self._check(user)

    async def _check(self, user: UserID) -> None:
        row = await self._database.fetch_one(self._sql["get_ghost"], user_id=user)
        since = row["next_batch"] if row else None
        answer = await self._client.sync(as_user=user, since=since, event_filter=_FILTER)
        mark = SyncMark(user, text(answer.get("next_batch")))
        if since is None:
            await self._found.store_found((), (), mark)
            return
        found = _read(answer, user, mark.next_batch)
        for room_id, start in found.gaps:
            found.events[:0] = await self._page_back(user, room_id, start, since)
        to_device = mapping(answer.get("to_device")).get("events")
        ours = await self._found.store_found(
            found.events, to_device if isinstance(to_device, list) else (), mark
        )
        if ours:
            _log.warning("gap_found", extra={"user_id": user, "turns": ours})
        self._observer.gaps_checked(len(found.events), ours)

    async def _page_back(
        self, user: UserID, room_id: RoomID, start: str, since: str
    ) -> Sequence[JSON]:
        """What a limited timeline left out, oldest first; bounded, the newest are kept."""
        events: list[JSON] = []
        token: str | None = start
        for _ in range(_MAX_PAGES):
            if token is None or token == since:
                break
            page = await self._client.messages(
                room_id, as_user=user, start=token, end=since, limit=_PAGE
            )
            events.extend(_with_room(event, room_id) for event in page.get("chunk", []))
            token = page.get("end")
        events.reverse()
        return events


def _read(answer: Mapping[str, JSON], user: UserID, batch: str) -> _Found:
    rooms = mapping(answer.get("rooms"))
    found = _Found()
    for room_id, room in mapping(rooms.get("invite")).items():
        found.events.extend(_invitation(RoomID(room_id), mapping(room), user, batch))
    for group in ("join", "leave"):
        for room_id, room in mapping(rooms.get(group)).items():
            _read_room(RoomID(room_id), mapping(room), user, found)
    return found


def _read_room(room_id: RoomID, room: Mapping[str, JSON], user: UserID, found: _Found) -> None:
    timeline = mapping(room.get("timeline"))
    state = mapping(room.get("state")).get("events") or []
    events = [_with_room(event, room_id) for event in [*state, *(timeline.get("events") or [])]]
    found.events.extend(events)
    # A room just entered has a limited timeline, too: what was said there before is not for us.
    entered = any(_is_join(event, user) for event in events)
    if timeline.get("limited") and not entered:
        found.gaps.append((room_id, text(timeline.get("prev_batch"))))


def _with_room(event: JSON, room_id: RoomID) -> JSON:
    """A client-format event as it would have been pushed."""
    return {**event, "room_id": room_id} if isinstance(event, dict) else event


def _is_join(event: JSON, user: UserID) -> bool:
    event = mapping(event)
    return (
        event.get("type") == "m.room.member"
        and event.get("state_key") == user
        and mapping(event.get("content")).get("membership") == "join"
    )


def _invitation(
    room_id: RoomID, room: Mapping[str, JSON], user: UserID, batch: str
) -> Iterator[JSON]:
    """A stripped invitation has no event id; joining or leaving twice does no harm."""
    for event in mapping(room.get("invite_state")).get("events") or []:
        event = mapping(event)
        if event.get("type") == "m.room.member" and event.get("state_key") == user:
            event_id = f"invite:{user}:{batch}:{room_id}"[:255]
            yield {**event, "room_id": room_id, "event_id": event_id}
