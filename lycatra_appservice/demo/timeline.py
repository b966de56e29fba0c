"""What happens in a person's rooms from a moment on, without a gap, by the sync API."""

import asyncio
import json
import secrets
from collections import deque
from typing import Protocol, Self

import aiohttp

from lycatra_appservice.demo.client_api import ClientApi, ClientApiError, path_of
from lycatra_appservice.model import JSON, RoomID

_SYNC = "/_matrix/client/v3/sync"
_LONG_POLL_SECONDS = 20
_RETRY_SECONDS = 0.5
_TIMELINE_LIMIT = 200  # the server's default of 10 loses most of a burst


class Reading(Protocol):
    """How a client reads what a homeserver brings."""

    async def hear(self, answer: JSON) -> None:
        """Take from a sync's answer what is no event of a room; the same may come twice."""

    async def read(self, room_id: RoomID, event: JSON) -> JSON:
        """The event as its reader sees it."""


class Timeline:
    """An endless async iterator of (room id, event), in the order of each room.

    Typing comes as an event of type `m.typing` without an id. It waits through a restart of the
    homeserver and raises ClientApiError only when the person is logged out. Waiting for the next
    one may be cancelled and taken up again.
    """

    def __init__(self, api: ClientApi, reading: Reading) -> None:
        self._api = api
        self._reading = reading
        self._since = ""
        self._waiting: deque[tuple[RoomID, JSON]] = deque()
        # Synapse answers an identical first sync from a cache, with an old token; a filter that
        # nobody else has avoids it.
        timeline = {"limit": _TIMELINE_LIMIT, "not_types": [f"none.{secrets.token_hex(8)}"]}
        room = {
            "timeline": timeline,
            "ephemeral": {"types": ["m.typing"]},
            "state": {"types": []},
        }
        self._filter = json.dumps(
            {"room": room, "presence": {"types": []}, "account_data": {"types": []}}
        )

    async def start(self) -> None:
        """Set the mark: only what comes after it will be yielded."""
        query = {"filter": self._filter, "timeout": "0"}
        answer = await self._api.call("GET", _SYNC, query=query)
        await self._reading.hear(answer)
        self._since = answer["next_batch"]

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> tuple[RoomID, JSON]:
        while not self._waiting:
            await self._fetch()
        return self._waiting.popleft()

    async def _fetch(self) -> None:
        while True:
            try:
                return await self._fetch_once()
            except ClientApiError as error:
                if error.status < 500 and error.status != 429:
                    raise
            except (aiohttp.ClientError, TimeoutError):
                pass  # it restarts; the same `since` brings everything that is missed meanwhile
            await asyncio.sleep(_RETRY_SECONDS)

    async def _fetch_once(self) -> None:
        answer = await self._sync()
        await self._reading.hear(answer)
        found: list[tuple[RoomID, JSON]] = []
        for room, joined in answer.get("rooms", {}).get("join", {}).items():
            room_id = RoomID(room)
            events = await self._events(room_id, joined)
            found += [(room_id, await self._reading.read(room_id, event)) for event in events]
        # Both at once and last: whoever stops waiting in between misses nothing the next time.
        self._waiting += found
        self._since = answer["next_batch"]

    async def _sync(self) -> JSON:
        query = {
            "filter": self._filter,
            "since": self._since,
            "timeout": str(_LONG_POLL_SECONDS * 1000),
        }
        return await self._api.call("GET", _SYNC, query=query, seconds=_LONG_POLL_SECONDS + 20)

    async def _events(self, room_id: RoomID, joined: JSON) -> list[JSON]:
        timeline = joined.get("timeline", {})
        events: list[JSON] = timeline.get("events", [])
        if timeline.get("limited"):
            events = await self._left_out(room_id, timeline["prev_batch"]) + events
        ephemeral: list[JSON] = joined.get("ephemeral", {}).get("events", [])
        return events + ephemeral

    async def _left_out(self, room_id: RoomID, before: str) -> list[JSON]:
        """The events between the last sync and the part of the timeline that this one brought."""
        path = "/_matrix/client/v3" + path_of("rooms", room_id, "messages")
        events: list[JSON] = []
        start: str | None = before
        while start is not None:
            query = {"dir": "b", "from": start, "to": self._since, "limit": str(_TIMELINE_LIMIT)}
            page = await self._api.call("GET", path, query=query)
            events += page["chunk"]
            start = page.get("end") if page["chunk"] else None
        return events[::-1]
