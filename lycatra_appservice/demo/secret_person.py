"""A person's client that encrypts, without a screen; only imported where somebody wants that."""

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Final, Self

import aiohttp

from lycatra_appservice.demo.client_api import ClientApiError
from lycatra_appservice.demo.people import Person
from lycatra_appservice.demo.person_client import PersonClient
from lycatra_appservice.demo.secret_client import SEALED, KeyCalls, KeyMachine
from lycatra_appservice.matrix.crypto.opened import RefusedError, session_of
from lycatra_appservice.model import JSON, EventID, RoomID

_UNREADABLE: Final = "(said before this start, or elsewhere: this client has no key for it)"
_NO_ROOMS: Final = json.dumps(
    {"presence": {"types": []}, "account_data": {"types": []}, "room": {"rooms": []}}
)


class SecretPersonClient(PersonClient):
    """One logged-in person on a device that encrypts, in rooms that all are encrypted.

    `async with` gives the device its keys and ends it: nobody reads with it what was said before,
    or comes after.
    """

    def __init__(self, homeserver_url: str, person: Person) -> None:
        super().__init__(homeserver_url, person)
        self._machine = KeyMachine(KeyCalls(self, person.device_id))
        self._since: str | None = None
        self._hearing = asyncio.Lock()
        self._sending = asyncio.Lock()

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        await self._machine.load()
        await self._machine.share_keys(0)
        return self

    async def __aexit__(self, *error: object) -> None:
        with suppress(ClientApiError, aiohttp.ClientError, TimeoutError):  # the homeserver is gone
            await self.call("POST", "/logout", {})
        await super().__aexit__(*error)

    async def send_event(
        self,
        room_id: RoomID,
        event_type: str,
        content: Mapping[str, JSON],
        txn_id: str | None = None,
    ) -> EventID:
        """Send it encrypted for who is in the room now; reactions in clear, like all clients."""
        if event_type == "m.reaction":
            return await super().send_event(room_id, event_type, content, txn_id)
        async with self._sending:
            await self._catch_up()
            people = frozenset(await self.members(room_id))
            sealed = await self._machine.seal(room_id, people, event_type, content)
            return await super().send_event(room_id, SEALED, sealed, txn_id)

    async def all_messages(self, room_id: RoomID) -> list[JSON]:
        """Every event that we may see, oldest first; one without a key says that it has none."""
        await self._catch_up()
        return await super().all_messages(room_id)

    async def hear(self, answer: JSON) -> None:
        """Take keys, and who has other devices than before."""
        async with self._hearing:
            await self._machine.take(answer)

    async def read(self, room_id: RoomID, event: JSON) -> JSON:
        """An event as this device reads it."""
        if event.get("type") != SEALED or session_of(event) is None:
            return event
        try:
            return await self._machine.open({**event, "room_id": room_id})
        except RefusedError:
            content = {"msgtype": "m.text", "body": _UNREADABLE}
            return {**event, "type": "m.room.message", "content": content}

    async def _catch_up(self) -> None:
        """Hear what came without waiting for more."""
        query = {"filter": _NO_ROOMS, "timeout": "0"}
        if self._since is not None:
            query["since"] = self._since
        answer = await self.call("GET", "/sync", query=query)
        await self.hear(answer)
        self._since = answer["next_batch"]
