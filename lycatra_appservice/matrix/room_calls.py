"""Calls about rooms: make, find, enter, leave, and their state."""

from collections.abc import Mapping, Sequence

from lycatra_appservice.matrix.calls import ROOMS, V3, Calls, event_id_of, identity, text_of
from lycatra_appservice.matrix.errors import MatrixError
from lycatra_appservice.matrix.events import mapping
from lycatra_appservice.matrix.http import Request
from lycatra_appservice.model import JSON, EventID, RoomID, UserID


class RoomCalls(Calls):
    """Membership and state."""

    async def create_room(self, spec: Mapping[str, JSON], *, as_user: UserID) -> RoomID:
        """Make a room; `spec` is the body of the specification's createRoom."""
        return RoomID(text_of(await self._post(as_user, (*V3, "createRoom"), spec), "room_id"))

    async def resolve_alias(self, alias: str, *, as_user: UserID) -> RoomID | None:
        """The room behind an alias; None when there is none."""
        answer = await self._get_if_there(as_user, (*V3, "directory", "room", alias))
        return None if answer is None else RoomID(text_of(answer, "room_id"))

    async def drop_alias(self, alias: str, *, as_user: UserID) -> None:
        """Take a name off its room; nothing happens when there is no such name."""
        path = (*V3, "directory", "room", alias)
        query = identity(as_user)
        try:
            await self._homeserver.ask(Request(method="DELETE", path=path, query=query))
        except MatrixError as error:
            if error.errcode != "M_NOT_FOUND":
                raise

    async def join(self, room_id: RoomID, servers: Sequence[str] = (), *, as_user: UserID) -> None:
        """Enter a room; nothing happens when the user is in it. `servers` know a remote room."""
        via = [("via", server) for server in servers]
        await self._post(as_user, (*V3, "join", room_id), {}, via)

    async def leave(self, room_id: RoomID, reason: str | None = None, *, as_user: UserID) -> None:
        """Leave a room or refuse its invitation; its members read the reason."""
        body = {} if reason is None else {"reason": reason}
        await self._post(as_user, (*ROOMS, room_id, "leave"), body)

    async def invite(self, room_id: RoomID, user_id: UserID, *, as_user: UserID) -> None:
        """Invite somebody. 403 also when that user is in the room already."""
        await self._post(as_user, (*ROOMS, room_id, "invite"), {"user_id": user_id})

    async def rooms_of(self, *, as_user: UserID) -> Sequence[RoomID]:
        """The rooms that one of our users has joined."""
        answer = await self._get(as_user, (*V3, "joined_rooms"))
        return [RoomID(room_id) for room_id in answer.get("joined_rooms", ())]

    async def members(self, room_id: RoomID, *, as_user: UserID) -> Sequence[Mapping[str, JSON]]:
        """The `m.room.member` events of everybody who has not left: of invited people, too."""
        more = (("not_membership", "leave"),)
        answer = await self._get(as_user, (*ROOMS, room_id, "members"), more)
        events: Sequence[Mapping[str, JSON]] = answer.get("chunk", [])
        return events

    async def state(self, room_id: RoomID, *, as_user: UserID) -> Sequence[Mapping[str, JSON]]:
        """All current state events of a room, in no order.

        Raises MatrixError 403 for a user who has left: Synapse (1.163) would show the room as it
        was then.
        """
        events: Sequence[Mapping[str, JSON]] = await self._get(as_user, (*ROOMS, room_id, "state"))
        if _membership(events, as_user) not in (None, "join"):
            raise MatrixError(403, "M_FORBIDDEN", "the user is not in this room any more")
        return events

    async def state_event(
        self, room_id: RoomID, event_type: str, state_key: str = "", *, as_user: UserID
    ) -> Mapping[str, JSON] | None:
        """The content of one state event; None when the room has no such state."""
        path = (*ROOMS, room_id, "state", event_type, state_key)
        content: Mapping[str, JSON] | None = await self._get_if_there(as_user, path)
        return content

    async def put_state(
        self,
        room_id: RoomID,
        event_type: str,
        content: Mapping[str, JSON],
        state_key: str = "",
        *,
        as_user: UserID,
    ) -> EventID:
        """Set state; content equal to what is there makes no new event."""
        path = (*ROOMS, room_id, "state", event_type, state_key)
        return event_id_of(await self._put(as_user, path, content))


def _membership(events: Sequence[Mapping[str, JSON]], user: UserID) -> JSON:
    for event in events:
        if event.get("type") == "m.room.member" and event.get("state_key") == user:
            return mapping(event.get("content")).get("membership")
    return None
