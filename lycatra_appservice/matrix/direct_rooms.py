"""The direct room of @lycatra with a person: found, or made once, by any replica.

It is an unencrypted one, unless encrypted rooms can be read here.
"""

import hashlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from enum import Enum, auto
from typing import Final, TypeAlias

from lycatra_appservice.errors import LycatraError
from lycatra_appservice.matrix.accounts import Accounts, is_account_missing
from lycatra_appservice.matrix.client import MatrixClient
from lycatra_appservice.matrix.direct_state import DirectState
from lycatra_appservice.matrix.errors import MatrixError, TryLaterError
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import RoomID, UserID

logger: Final = logging.getLogger(__name__)

# Rooms in which @lycatra and this person are, as far as is known; each is looked at.
Candidates: TypeAlias = Callable[[UserID], Awaitable[Sequence[RoomID]]]

_GENERATIONS: Final = 5  # who has left, or encrypted, so many direct rooms wants none
_MAX_CANDIDATES: Final = 10
_INVITATIONS: Final = 2  # the first, and one after they have left
_INVITE_TIMEOUT: Final = timedelta(minutes=2)  # over federation it takes tens of seconds
_ADMIN: Final = 100
_ENCRYPTED: Final = (
    {
        "type": "m.room.encryption",
        "state_key": "",
        "content": {"algorithm": "m.megolm.v1.aes-sha2"},
    },
)


class NoDirectRoomError(LycatraError):
    """There is no unencrypted direct room with this person, and none can be made."""

    user_message = "I cannot open a direct chat without encryption."

    def __init__(self, why: str, *, encrypted_by_default: bool = False) -> None:
        """`encrypted_by_default`: the homeserver encrypts every new room of this kind."""
        super().__init__(why)
        self.encrypted_by_default = encrypted_by_default


class Secrecy(Enum):
    """What encryption is to a direct room of ours."""

    REFUSED = auto()  # we could not read it
    ALLOWED = auto()
    WANTED = auto()


class _Fate(Enum):
    READY = auto()
    UNUSABLE = auto()  # another one is needed


class DirectRooms:
    """Opens direct rooms. Holds nothing; safe to share, and to ask again.

    Ours are found by their aliases, also after the database was lost: a name made of the person
    and a count, which rises when a room cannot be used any more.
    """

    def __init__(
        self,
        client: MatrixClient,
        users: VirtualUsers,
        candidates: Candidates,
        secrecy: Secrecy = Secrecy.REFUSED,
    ) -> None:
        self._client = client
        self._secrecy = secrecy
        self._users = users
        self._candidates = candidates

    async def open(self, person: UserID) -> RoomID:
        """The room, with the person in it or invited.

        Raises NoDirectRoomError, MatrixError that is outlasted (rooms may be made only so fast),
        and HomeserverUnavailableError.
        """
        try:
            return await self._open_as_registered(person)
        except MatrixError as error:
            if error.outlasted:
                raise
            if error.status == 401:  # our token is being exchanged
                raise TryLaterError(error.status, error.errcode, error.reason) from error
            raise NoDirectRoomError(str(error)) from error

    async def _open_as_registered(self, person: UserID) -> RoomID:
        try:
            return await self._open(person)
        except MatrixError as error:
            if not is_account_missing(error):
                raise
        await Accounts(self._client, self._users).ensure(self._users.main)
        return await self._open(person)

    async def _open(self, person: UserID) -> RoomID:
        for generation in range(_GENERATIONS):
            local = self._local_alias(person, generation)
            room_id = await self._resolve(local)
            if room_id is None:
                theirs = await self._made_by_them(person)
                if theirs is not None:
                    return theirs
                room_id = await self._create(local)
            if await self._prepare(room_id, local, person) is _Fate.READY:
                return room_id
        raise NoDirectRoomError(f"{_GENERATIONS} rooms with {person} cannot be used any more")

    def _local_alias(self, person: UserID, generation: int) -> str:
        digest = hashlib.sha256(f"{person}\0{generation}".encode()).hexdigest()[:24]
        return f"{self._users.localpart_of(self._users.main)}_dm_{digest}"

    async def _resolve(self, local: str) -> RoomID | None:
        alias = f"#{local}:{self._users.server_name}"
        return await self._client.resolve_alias(alias, as_user=self._users.main)

    async def _made_by_them(self, person: UserID) -> RoomID | None:
        """A direct room that the person made, so that nobody has two."""
        for room_id in (await self._candidates(person))[:_MAX_CANDIDATES]:
            state = await self._look(room_id)
            if state is not None and self._is_usable(state, person) and state.is_here(person):
                return room_id
        return None

    async def _create(self, local: str) -> RoomID:
        """Make the room without inviting anybody: it may turn out to be encrypted."""
        try:
            return await self._client.create_room(
                {
                    "preset": "trusted_private_chat",
                    "visibility": "private",
                    "is_direct": True,
                    "room_alias_name": local,
                    # Or clients would show the alias.
                    "name": self._users.display_name(self._users.main),
                    "initial_state": _ENCRYPTED if self._secrecy is Secrecy.WANTED else [],
                },
                as_user=self._users.main,
            )
        except MatrixError:
            made_meanwhile = await self._resolve(local)
            if made_meanwhile is None:
                raise
            return made_meanwhile

    async def _look(self, room_id: RoomID) -> DirectState | None:
        """A room's state; None for one that @lycatra is not in."""
        try:
            state = await self._client.state(room_id, as_user=self._users.main)
        except MatrixError as error:
            if error.status not in {403, 404} or is_account_missing(error):
                raise
            return None
        return DirectState.read(state, self._users)

    async def _prepare(self, room_id: RoomID, local: str, person: UserID) -> _Fate:
        state = await self._look(room_id)
        if state is None:
            return _Fate.UNUSABLE
        if not state.was_invited(person):
            if state.encrypted and self._secrecy is Secrecy.REFUSED:
                await self._give_back(room_id, local)
                raise NoDirectRoomError(
                    "the homeserver encrypts new rooms by default", encrypted_by_default=True
                )
            await self._make_admin(room_id, state, person)
        if not self._is_usable(state, person):
            return _Fate.UNUSABLE
        if not state.is_here(person):
            await self._invite(room_id, state, person)
        return _Fate.READY

    async def _make_admin(self, room_id: RoomID, state: DirectState, person: UserID) -> None:
        if state.power.of(person) >= _ADMIN:
            return
        levels = dict(state.power.content or {})
        levels["users"] = {**levels.get("users", {}), person: _ADMIN}
        await self._client.put_state(
            room_id, "m.room.power_levels", levels, as_user=self._users.main
        )

    async def _invite(self, room_id: RoomID, state: DirectState, person: UserID) -> None:
        if state.was_invited(person) and await self._invitations(room_id, person) >= _INVITATIONS:
            raise NoDirectRoomError(f"{person} has left {room_id} more than once")
        try:
            # By its state, as the call for inviting cannot say that the room is a direct one.
            await self._client.within(_INVITE_TIMEOUT).put_state(
                room_id,
                "m.room.member",
                {"membership": "invite", "is_direct": True},
                person,
                as_user=self._users.main,
            )
        except MatrixError as error:
            # That their homeserver is away comes as a fault of ours, and may last for ever.
            is_theirs = error.status >= 500 and self._is_remote(person)
            if (error.outlasted and not is_theirs) or error.status == 401:
                raise
            raise NoDirectRoomError(f"{person} cannot be invited: {error}") from error

    async def _invitations(self, room_id: RoomID, person: UserID) -> int:
        page = await self._client.messages(
            room_id,
            as_user=self._users.main,
            event_filter={"types": ["m.room.member"], "senders": [self._users.main]},
        )
        return sum(
            event.get("state_key") == person
            and event.get("content", {}).get("membership") == "invite"
            for event in page.get("chunk", ())
        )

    async def _give_back(self, room_id: RoomID, local: str) -> None:
        """Leave nothing behind of a room that is of no use; the next try needs its name."""
        alias = f"#{local}:{self._users.server_name}"
        await self._client.drop_alias(alias, as_user=self._users.main)
        await self._client.leave(room_id, as_user=self._users.main)

    def _is_usable(self, state: DirectState, person: UserID) -> bool:
        return state.is_usable(person, decrypts=self._secrecy is not Secrecy.REFUSED)

    def _is_remote(self, person: UserID) -> bool:
        return person.partition(":")[2] != self._users.server_name
