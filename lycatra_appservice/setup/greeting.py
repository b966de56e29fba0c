"""The first message: @lycatra opens a direct chat with whoever set it up."""

import hashlib
from collections.abc import Sequence
from typing import Final

from lycatra_appservice.chat import messages
from lycatra_appservice.chat.model_host import ModelAddress, where_questions_go
from lycatra_appservice.matrix.accounts import Accounts
from lycatra_appservice.matrix.direct_rooms import DirectRooms, NoDirectRoomError
from lycatra_appservice.matrix.render import render_message
from lycatra_appservice.matrix.setup_client import SetupClient
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import Address, Reply, RoomID, UserID
from lycatra_appservice.setup.answers import SetupError
from lycatra_appservice.words.catalogue import load_catalogue

_HERE: Final = frozenset({"join", "invite"})


class Greeter:
    """Greets; a second time finds the room of the first and says nothing twice.

    The running service finds the same room when it needs one.
    """

    def __init__(
        self,
        client: SetupClient,
        users: VirtualUsers,
        models: Sequence[ModelAddress],
        *,
        language: str,
    ) -> None:
        self._client = client
        self._users = users
        self._models = models
        self._language = language
        self._direct = DirectRooms(client, users, self._shared_with)

    async def greet(self, person: UserID) -> RoomID:
        """Write to somebody. Raises SetupError where every new room is encrypted, MatrixError."""
        await Accounts(self._client, self._users).ensure(self._users.main)
        try:
            room_id = await self._direct.open(person)
        except NoDirectRoomError as refused:
            if not refused.encrypted_by_default:
                raise
            raise SetupError(
                "this homeserver encrypts every new chat, and Lycatra cannot read encrypted "
                "rooms yet: invite it into a room without encryption, or set "
                "encryption_enabled_by_default_for_room_type: off in homeserver.yaml"
            ) from refused
        await self._write(room_id, person)
        return room_id

    async def _write(self, room_id: RoomID, person: UserID) -> None:
        said = messages.greeting(
            self._users.display_name(self._users.main),
            where_questions_go(self._models),
            has_model=bool(self._models),
        )
        reply = Reply(
            markdown=load_catalogue().say(said, self._language),
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

    async def _shared_with(self, person: UserID) -> Sequence[RoomID]:
        """The rooms in which there is nobody else; there is no database to ask yet."""
        found = []
        for room_id in await self._client.joined_rooms(self._users.main):
            members = await self._client.members(room_id, as_user=self._users.main)
            here = {
                event.get("state_key")
                for event in members
                if event.get("content", {}).get("membership") in _HERE
            }
            if here == {self._users.main, person}:
                found.append(room_id)
        return found
