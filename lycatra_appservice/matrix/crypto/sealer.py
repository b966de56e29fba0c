"""Encrypts what all replicas have to send; only the replica that has the keys runs it."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, TypeAlias

from mautrix.types import EventType

from lycatra_appservice.db.connection import Connection, Database, Row
from lycatra_appservice.db.statements import Statements
from lycatra_appservice.errors import LycatraError
from lycatra_appservice.matrix.crypto.devices_of_people import DevicesOfPeople
from lycatra_appservice.matrix.crypto.keyring import Keyring
from lycatra_appservice.matrix.crypto.lease import CRYPTO_CHANNEL, KeysLostError
from lycatra_appservice.matrix.crypto.machine import KeyMachine
from lycatra_appservice.matrix.crypto.seal_desk import SEALED
from lycatra_appservice.matrix.crypto.unit import KeyUnits
from lycatra_appservice.matrix.errors import MatrixError
from lycatra_appservice.matrix.events import LIVE_MARKER, mapping
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import JSON, RoomID, UserID

logger: Final = logging.getLogger(__name__)

_TRIES: Final = 5  # people come and go while a key is given out
_PAUSE: Final = timedelta(seconds=1)
_MEGOLM: Final = "m.megolm.v1.aes-sha2"

# Has a room read from its homeserver if it is not known; raises MatrixError where none of us is.
ReadRoom: TypeAlias = Callable[[RoomID, UserID], Awaitable[object]]


class NotEncryptableError(LycatraError):
    """This room cannot be written to: nobody knows how it is encrypted."""


class Sealer:
    """Rooms are worked on side by side, the messages of one user in a room one after another."""

    def __init__(
        self,
        database: Database,
        units: KeyUnits,
        keyring: Keyring,
        devices: DevicesOfPeople,
        users: VirtualUsers,
        read_room: ReadRoom,
    ) -> None:
        self._database = database
        self._sql = Statements.load(__package__, "sealing", database.dialect)
        self._keys = Statements.load(__package__, "keys", database.dialect)
        self._units = units
        self._keyring = keyring
        self._devices = devices
        self._users = users
        self._read_room = read_room
        self._busy: dict[tuple[UserID, RoomID], asyncio.Task[None]] = {}
        self._broken: asyncio.Future[None] = asyncio.Future()

    async def run(self, hint: asyncio.Event) -> None:
        """Work until cancelled; `hint` says that something new is there. Raises KeysLostError."""
        self._broken = asyncio.get_running_loop().create_future()
        try:
            while True:
                hint.clear()
                for row in await self._database.fetch(self._sql["open"]):
                    self._begin(UserID(row["user_id"]), RoomID(row["room"]))
                await self._until(hint)
        finally:
            tasks = list(self._busy.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def seal_now(
        self, room_id: RoomID, event_type: str, content: Mapping[str, JSON], *, as_user: UserID
    ) -> Mapping[str, JSON]:
        """Encrypt what is worth nothing later, and so is not stored before."""
        sealed = await self._seal(as_user, room_id, event_type, content, _nothing)
        if sealed is None:
            raise NotEncryptableError("the room's people kept changing")
        return sealed

    async def _until(self, hint: asyncio.Event) -> None:
        waiting = asyncio.ensure_future(hint.wait())
        either: set[asyncio.Future[Any]] = {waiting, self._broken}
        try:
            await asyncio.wait(
                either,
                timeout=_PAUSE.total_seconds(),
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            waiting.cancel()
        if self._broken.done():
            self._broken.result()

    def _begin(self, user: UserID, room_id: RoomID) -> None:
        key = (user, room_id)
        if key in self._busy:
            return
        task = asyncio.create_task(self._work(user, room_id), name=f"sealing {room_id}")
        self._busy[key] = task
        task.add_done_callback(lambda _: self._end(key, task))

    def _end(self, key: tuple[UserID, RoomID], task: asyncio.Task[None]) -> None:
        self._busy.pop(key, None)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, KeysLostError):
            if not self._broken.done():
                self._broken.set_exception(error)
        elif error is not None:
            logger.error("sealing_broke", extra={"room_id": key[1]}, exc_info=error)

    async def _work(self, user: UserID, room_id: RoomID) -> None:
        while True:
            row = await self._database.fetch_one(self._sql["next"], user_id=user, room=room_id)
            if row is None:
                return
            problem = await self._attempt(user, room_id, row)
            if problem is not None:
                await self._refuse(row, problem)

    async def _attempt(self, user: UserID, room_id: RoomID, row: Row) -> str | None:
        """Encrypt a row, or leave it for later; why it can never be encrypted."""
        try:
            await self._seal_row(user, room_id, row)
        except KeysLostError:
            raise
        except LycatraError as error:
            is_over = isinstance(error, MatrixError) and not error.outlasted
            if is_over or isinstance(error, NotEncryptableError):
                return str(error)
            await self._put_off(room_id, error)
        except Exception:
            logger.exception("sealing_broke", extra={"room_id": room_id})
            return "it made us raise"
        return None

    async def _put_off(self, room_id: RoomID, error: LycatraError) -> None:
        logger.warning("sealing_put_off", extra={"room_id": room_id, "error": str(error)})
        await asyncio.sleep(_PAUSE.total_seconds())

    async def _refuse(self, row: Row, problem: str) -> None:
        async with self._units.unit() as connection:
            await connection.execute(
                self._sql["refuse"], txn_id=row["txn_id"], digest=row["digest"], problem=problem
            )
            await connection.notify(CRYPTO_CHANNEL, SEALED + row["txn_id"])

    async def _seal_row(self, user: UserID, room_id: RoomID, row: Row) -> None:
        async def keep(connection: Connection, sealed: Mapping[str, JSON]) -> None:
            await connection.fetch_one(
                self._sql["put"],
                txn_id=row["txn_id"],
                digest=row["digest"],
                sealed=json.dumps(sealed),
            )
            await connection.notify(CRYPTO_CHANNEL, SEALED + row["txn_id"])

        content = json.loads(row["content"])
        if await self._seal(user, room_id, row["type"], content, keep) is None:
            logger.warning("sealing_restless", extra={"room_id": room_id})
            await asyncio.sleep(_PAUSE.total_seconds())

    async def _seal(
        self,
        user: UserID,
        room_id: RoomID,
        event_type: str,
        content: Mapping[str, JSON],
        keep: Callable[[Connection, Mapping[str, JSON]], Awaitable[None]],
    ) -> Mapping[str, JSON] | None:
        """Encrypt for whoever is in the room now; None when its people never kept still."""
        machine = await self._keyring.look(user)
        for _ in range(_TRIES):
            people = await self._people(room_id, user)
            await self._devices.refresh(machine, people)
            async with self._units.unit() as connection:
                sealed = await self._encrypt(machine, room_id, event_type, content)
                if sealed is not None:
                    await keep(connection, sealed)
                    return sealed
            await self._give_key(user, room_id)
        return None

    async def _encrypt(
        self,
        machine: KeyMachine,
        room_id: RoomID,
        event_type: str,
        content: Mapping[str, JSON],
    ) -> Mapping[str, JSON] | None:
        """With the session in use; None when it is used up, or not the key of these people."""
        session = await machine.crypto_store.get_outbound_group_session(room_id)
        if session is None or session.expired:
            return None
        if session.members != _names(await self._present(room_id)):
            return None
        kind = EventType.find(event_type, t_class=EventType.Class.MESSAGE)
        sealed = await machine.encrypt_megolm_event(room_id, kind, dict(content))
        return _outer(sealed.serialize(), content)

    async def _give_key(self, user: UserID, room_id: RoomID) -> None:
        """Begin a new session with everybody who is there."""
        people = await self._people(room_id, user)
        machine = await self._keyring.look(user)
        await self._devices.refresh(machine, people)
        await self._devices.meet(machine, people)
        async with self._keyring.use(user) as locked:
            locked.rotate_by(await self._rotation(room_id))
            await locked.give_key(room_id, people, _names(people))
        logger.info("room_key_given", extra={"room_id": room_id, "people": len(people)})

    async def _people(self, room_id: RoomID, user: UserID) -> Sequence[UserID]:
        await self._rotation(room_id, user)
        return await self._present(room_id)

    async def _present(self, room_id: RoomID) -> Sequence[UserID]:
        rows = await self._units.fetch(self._keys["present"], room=room_id)
        everybody = (UserID(row["user_id"]) for row in rows)
        return [person for person in everybody if not self._users.is_ours(person)]

    async def _rotation(self, room_id: RoomID, user: UserID | None = None) -> Mapping[str, JSON]:
        """The content of `m.room.encryption`; with `user` the room is read if it is not known."""
        row = await self._database.fetch_one(self._keys["encryption"], room=room_id)
        if row is None and user is not None:
            await self._read_room(room_id, user)
            row = await self._database.fetch_one(self._keys["encryption"], room=room_id)
        if row is None or row["encryption"] is None:
            return {}
        content = mapping(json.loads(row["encryption"]))
        if content.get("algorithm", _MEGOLM) != _MEGOLM:
            raise NotEncryptableError("the room is encrypted by something that is not Megolm")
        return content


def _names(people: Sequence[UserID]) -> str:
    return "\n".join(sorted(people))


def _outer(sealed: dict[str, JSON], content: Mapping[str, JSON]) -> dict[str, JSON]:
    """What a homeserver has to know of a message to bundle it, as it was written."""
    if "m.relates_to" in content:
        sealed["m.relates_to"] = content["m.relates_to"]
    if LIVE_MARKER in content:
        sealed[LIVE_MARKER] = {}  # how we know our own unfinished edits when they come back
    return sealed


async def _nothing(connection: Connection, sealed: Mapping[str, JSON]) -> None:
    """It is not kept."""
