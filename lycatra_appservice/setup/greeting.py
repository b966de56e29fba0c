"""The first message: @lycatra opens a direct chat with whoever set it up."""

import hashlib
from typing import Final

from lycatra_appservice.matrix.accounts import Accounts
from lycatra_appservice.matrix.render import render_message
from lycatra_appservice.matrix.setup_client import SetupClient
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import Address, Reply, RoomID, UserID
from lycatra_appservice.setup.answers import SetupError

_HERE: Final = frozenset({"join", "invite"})
_TEXT: Final = """\
Hello, I am {name}. Synapse and I know each other now. Three things to try here:

1. `!help` shows what you may do
2. `!list updates` shows what changed lately
3. {third}

I answer as soon as my service runs (`lycatra run`)."""
_WITH_MODEL: Final = "*What is new this week?* is a question in your own words"
_WITHOUT_MODEL: Final = "`!get service status` shows how things are running"


class Greeter:
    """Greets; a second time finds the room of the first and says nothing twice."""

    def __init__(self, client: SetupClient, users: VirtualUsers, *, has_model: bool) -> None:
        self._client = client
        self._users = users
        self._has_model = has_model

    async def greet(self, person: UserID) -> RoomID:
        """Write to somebody. Raises SetupError where every new room is encrypted, MatrixError."""
        await Accounts(self._client, self._users).ensure(self._users.main)
        room_id = await self._direct_chat(person) or await self._open_chat(person)
        if await self._is_encrypted(room_id):
            raise SetupError(
                "this homeserver encrypts every new chat, and Lycatra cannot read encrypted "
                "rooms yet: invite it into a room without encryption, or set "
                "encryption_enabled_by_default_for_room_type: off in homeserver.yaml"
            )
        await self._write(room_id, person)
        return room_id

    async def _write(self, room_id: RoomID, person: UserID) -> None:
        third = _WITH_MODEL if self._has_model else _WITHOUT_MODEL
        name = self._users.display_name(self._users.main)
        reply = Reply(
            markdown=_TEXT.format(name=name, third=third),
            sender=self._users.main,
            mentions=(person,),
        )
        marker = {"to": "init", "kind": "message"}
        [content] = render_message(reply, Address(room_id=room_id), marker)
        # The same room, the same message: Synapse answers with the event that is there.
        txn_id = f"lyc-init-{hashlib.sha256(room_id.encode()).hexdigest()[:32]}"
        await self._client.send_event(
            room_id, "m.room.message", txn_id, content, as_user=self._users.main
        )

    async def _direct_chat(self, person: UserID) -> RoomID | None:
        for room_id in await self._client.joined_rooms(self._users.main):
            members = await self._client.members(room_id, as_user=self._users.main)
            here = {
                event.get("state_key")
                for event in members
                if event.get("content", {}).get("membership") in _HERE
            }
            if here == {self._users.main, person} and not await self._is_encrypted(room_id):
                return room_id
        return None

    async def _open_chat(self, person: UserID) -> RoomID:
        return await self._client.create_room(
            {
                "preset": "private_chat",
                "visibility": "private",
                "is_direct": True,
                "invite": [person],
            },
            as_user=self._users.main,
        )

    async def _is_encrypted(self, room_id: RoomID) -> bool:
        state = await self._client.state_event(
            room_id, "m.room.encryption", as_user=self._users.main
        )
        return state is not None
