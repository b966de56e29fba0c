"""A person's Matrix client without a screen: for the terminal chat and for tests."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from typing import Protocol, Self

from lycatra_appservice.demo.client_api import ClientApi, ClientApiError, path_of
from lycatra_appservice.demo.timeline import Timeline
from lycatra_appservice.demo.typed_text import message_content
from lycatra_appservice.model import JSON, EventID, RoomID, UserID

_V3 = "/_matrix/client/v3"
_LOOK_AGAIN_SECONDS = 0.05
_PAGE = 200


class LoggedIn(Protocol):
    """Whose client it is."""

    @property
    def user_id(self) -> UserID:
        """The full Matrix id."""

    @property
    def access_token(self) -> str:
        """Of one device of that person."""


class PersonClient:
    """One logged-in person. `async with` owns its connections.

    Every method raises ClientApiError when the homeserver refuses and aiohttp.ClientError or
    TimeoutError when it does not answer.
    """

    def __init__(self, homeserver_url: str, person: LoggedIn) -> None:
        self.user_id = person.user_id
        self._api = ClientApi(homeserver_url, person.access_token)

    @property
    def localpart(self) -> str:
        """The name that others type to mention this person."""
        return self.user_id[1:].split(":", 1)[0]

    async def __aenter__(self) -> Self:
        await self._api.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._api.__aexit__(*error)

    async def call(
        self,
        method: str,
        path: str,
        body: JSON = None,
        query: Mapping[str, str] | None = None,
    ) -> JSON:
        """Any other call of the client API; `path` starts behind `/_matrix/client/v3`."""
        return await self._api.call(method, _V3 + path, body, query)

    async def create_room(
        self,
        name: str | None = None,
        invite: Sequence[str] = (),
        preset: str = "private_chat",
        is_direct: bool = False,
        extra: Mapping[str, JSON] | None = None,
    ) -> RoomID:
        """Make a room and invite these; `extra` adds keys of createRoom (room_version, …)."""
        body: dict[str, JSON] = {"invite": list(invite), "preset": preset, "is_direct": is_direct}
        if name is not None:
            body["name"] = name
        answer = await self.call("POST", "/createRoom", {**body, **(extra or {})})
        return RoomID(answer["room_id"])

    async def invite(self, room_id: RoomID, user_id: str) -> None:
        """Invite somebody into a room of ours."""
        await self.call("POST", path_of("rooms", room_id, "invite"), {"user_id": user_id})

    async def join(self, room_id_or_alias: str) -> RoomID:
        """Join a room that we are invited to or that is public."""
        answer = await self.call("POST", path_of("join", room_id_or_alias), {})
        return RoomID(answer["room_id"])

    async def send_text(self, room_id: RoomID, text: str) -> EventID:
        """Say something; an `@localpart` that is a member is sent as a mention with a pill."""
        members = await self.members(room_id)
        return await self.send_event(room_id, "m.room.message", message_content(text, members))

    async def send_event(
        self,
        room_id: RoomID,
        event_type: str,
        content: Mapping[str, JSON],
        txn_id: str | None = None,
    ) -> EventID:
        """Send as it is. With the same `txn_id` a repeated call gives the same event."""
        path = path_of("rooms", room_id, "send", event_type, txn_id or secrets.token_hex(12))
        return EventID((await self.call("PUT", path, dict(content)))["event_id"])

    async def react(self, room_id: RoomID, event_id: EventID, key: str) -> EventID:
        """Put an emoji under an event."""
        relation = {"rel_type": "m.annotation", "event_id": event_id, "key": key}
        return await self.send_event(room_id, "m.reaction", {"m.relates_to": relation})

    async def redact(
        self, room_id: RoomID, event_id: EventID, reason: str | None = None
    ) -> EventID:
        """Take an event back; returns the redaction's own id."""
        path = path_of("rooms", room_id, "redact", event_id, secrets.token_hex(12))
        body = {} if reason is None else {"reason": reason}
        return EventID((await self.call("PUT", path, body))["event_id"])

    async def members(self, room_id: RoomID) -> dict[UserID, str]:
        """Who has joined, with the name each shows (the localpart for one without)."""
        joined = (await self.call("GET", path_of("rooms", room_id, "joined_members")))["joined"]
        return {
            UserID(user_id): profile.get("display_name") or user_id[1:].split(":", 1)[0]
            for user_id, profile in joined.items()
        }

    async def membership(self, room_id: RoomID, user_id: str) -> str | None:
        """`join`, `invite`, `leave`, `ban` or `knock`; None for who never was in the room."""
        path = path_of("rooms", room_id, "state", "m.room.member", user_id)
        try:
            found = await self.call("GET", path)
        except ClientApiError as error:
            if error.status == 404:
                return None
            raise
        return str(found["membership"])

    async def wait_for_member(
        self,
        room_id: RoomID,
        user_id: str,
        membership: str = "join",
        deadline: timedelta = timedelta(seconds=30),
    ) -> None:
        """Return when the user has this membership; TimeoutError, saying whose, when not."""
        seen: str | None = None
        try:
            async with asyncio.timeout(deadline.total_seconds()):
                while True:
                    seen = await self.membership(room_id, user_id)
                    if seen == membership:
                        return
                    await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        except TimeoutError as error:
            raise TimeoutError(
                f"{user_id} is {seen or 'not a member'} in {room_id}, not {membership}"
            ) from error

    async def all_messages(self, room_id: RoomID) -> list[JSON]:
        """Every event that we may see of a room, oldest first, by paging to its beginning."""
        path = path_of("rooms", room_id, "messages")
        events: list[JSON] = []
        start: str | None = None
        while True:
            query = {"dir": "b", "limit": str(_PAGE)}
            if start is not None:
                query["from"] = start
            page = await self.call("GET", path, query=query)
            events += page["chunk"]
            start = page.get("end")
            if start is None or not page["chunk"]:
                return [await self.read(room_id, event) for event in reversed(events)]

    async def timeline(self) -> Timeline:
        """A live view that starts now: what is sent after this call returns will be in it."""
        timeline = Timeline(self._api, self)
        await timeline.start()
        return timeline

    async def sync(self) -> AsyncIterator[tuple[RoomID, JSON]]:
        """Every event of every joined room from now on, as (room id, event); never ends."""
        async for room_id, event in await self.timeline():
            yield room_id, event

    async def hear(self, answer: JSON) -> None:
        """Take from a sync what is no event of a room: nothing, where nothing is encrypted."""

    async def read(self, room_id: RoomID, event: JSON) -> JSON:
        """An event as this person sees it: as it came, where nothing is encrypted."""
        return event
