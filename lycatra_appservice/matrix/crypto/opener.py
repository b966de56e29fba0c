"""Reads what came encrypted, in the order in which it came; only the replica with the keys does.

What an event says is stored as a turn by the transaction that uses its key up.
"""

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Any, Final, Protocol

from mautrix.errors import MatrixError as MautrixError
from mautrix.types import (
    EventType,
    IdentityKey,
    SerializerError,
    SessionID,
    ToDeviceEvent,
    UserID,
)

from lycatra_appservice.db.connection import Connection, Database, Row
from lycatra_appservice.db.statements import Statements
from lycatra_appservice.errors import LycatraError
from lycatra_appservice.matrix.crypto.devices_of_people import DevicesOfPeople
from lycatra_appservice.matrix.crypto.keyring import Keyring
from lycatra_appservice.matrix.crypto.lease import CRYPTO_CHANNEL, MISSED, KeysLostError
from lycatra_appservice.matrix.crypto.machine import KeyMachine, NoKeyError
from lycatra_appservice.matrix.crypto.opened import RefusedError, session_of
from lycatra_appservice.matrix.crypto.raw_inbox import RawKind
from lycatra_appservice.matrix.crypto.unit import KeyUnits
from lycatra_appservice.matrix.crypto.verification import Verifications
from lycatra_appservice.matrix.crypto.verification_steps import (
    VerificationMessage,
    message_between_devices,
    message_in_room,
)
from lycatra_appservice.matrix.events import is_id, mapping
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import JSON

logger: Final = logging.getLogger(__name__)

_LOOK_AGAIN: Final = 5.0  # seconds
_VERIFICATIONS: Final = 50


class OpenedEvents(Protocol):
    """Where events go that could be read."""

    async def store(self, connection: Connection, event: Mapping[str, JSON], via: str) -> None:
        """Take an event as if it had come like this; `via` is how it came."""


class Opener:
    """Reads the raw inbox."""

    def __init__(
        self,
        database: Database,
        units: KeyUnits,
        keyring: Keyring,
        devices: DevicesOfPeople,
        users: VirtualUsers,
        opened: OpenedEvents,
        verifications: Verifications,
    ) -> None:
        self._database = database
        self._sql = Statements.load(__package__, "raw_inbox", database.dialect)
        self._units = units
        self._keyring = keyring
        self._devices = devices
        self._users = users
        self._opened = opened
        self._verifications = verifications
        self._verified: dict[str, UserID] = {}  # who of us, by the request
        self._looked_for = -_LOOK_AGAIN
        self._released = False  # keys have come for what was read in vain
        self._anew: set[asyncio.Task[None]] = set()

    async def run(self, hint: asyncio.Event) -> None:
        """Work until cancelled; `hint` says that something new is there. Raises KeysLostError."""
        while True:
            hint.clear()
            await self.read_all()
            try:
                async with asyncio.timeout(1):
                    await hint.wait()
            except TimeoutError:
                pass

    async def read_all(self) -> None:
        """Read what is there, and what could be read by the keys that came with it."""
        self._released = True
        while self._released:
            self._released = False
            await self._read_once()

    async def _read_once(self) -> None:
        after = 0
        while rows := await self._database.fetch(self._sql["next"], after=after):
            for row in rows:
                await self._read(row)
                after = row["id"]

    async def _read(self, row: Row) -> None:
        """One that makes us raise is dropped: all that came after it would wait for ever."""
        raw = json.loads(row["raw"])
        try:
            if row["kind"] == RawKind.EVENT:
                await self._event(row, raw)
            else:
                await self._message(row, mapping(raw))
        except LycatraError:
            raise
        except Exception:
            logger.exception("raw_broke", extra={"id": row["id"]})
            await self._done(row, "it made us raise")

    # --- events ----------------------------------------------------------------------------

    async def _event(self, row: Row, raw: Mapping[str, JSON]) -> None:
        event = raw["event"]
        session_id = session_of(event)
        if session_id is None:
            await self._done(row, "encrypted in a way that nobody here knows")
            return
        machine = await self._keyring.look(self._users.main)
        session = await machine.crypto_store.get_group_session(
            event["room_id"], SessionID(session_id)
        )
        if session is not None:
            await self._devices.sender(machine, UserID(event["sender"]), session.sender_key)
        async with self._units.unit() as connection:
            if not await self._is_open(connection, row):
                return
            try:
                opened = await machine.open_event(event)
            except NoKeyError as error:
                logger.info(
                    "key_awaited", extra={"event_id": event["event_id"], "why": str(error)}
                )
                await connection.execute(
                    self._sql["wait_for_key"], id=row["id"], session_id=session_id
                )
                await self._have_it_looked_for(connection)
                return
            except RefusedError as error:
                logger.warning(
                    "event_refused", extra={"event_id": event["event_id"], "why": str(error)}
                )
                await connection.execute(self._sql["done"], id=row["id"])
                return
            aged = _aged(opened, row["waited_ms"])
            await self._opened.store(connection, aged, raw["via"])
            await connection.execute(self._sql["done"], id=row["id"])
        await self._verify_in_room(aged)

    async def _verify_in_room(self, event: Mapping[str, JSON]) -> None:
        """A step is worth nothing later: nobody keeps it."""
        step = message_in_room(event)
        if step is None:
            return
        to = event["content"].get("to")
        if to in self._users.all:
            self._verified[step.transaction_id] = UserID(to)
            while len(self._verified) > _VERIFICATIONS:
                del self._verified[next(iter(self._verified))]
        # Others verify each other in our presence, too.
        ours = self._verified.get(step.transaction_id)
        if ours is not None and not self._users.is_ours(step.sender):
            await self._hear(ours, step)

    async def _hear(self, ours: UserID, step: VerificationMessage) -> None:
        try:
            await self._verifications.heard(ours, step)
        except KeysLostError:
            raise
        except LycatraError as error:
            logger.info("verification_broke_off", extra={"error": str(error)})

    async def _have_it_looked_for(self, connection: Connection) -> None:
        """What Synapse (1.163) sends again after a failure comes without the keys of that time."""
        if monotonic() - self._looked_for > _LOOK_AGAIN:
            self._looked_for = monotonic()
            await connection.notify(CRYPTO_CHANNEL, MISSED)

    # --- messages between devices ------------------------------------------------------------

    async def _message(self, row: Row, raw: Mapping[str, JSON]) -> None:
        user = raw.get("to_user_id")
        event = _readable(raw)
        if event is None or not isinstance(user, str) or user not in self._users.all:
            await self._done(row, "not a message to a device of ours")
            return
        async with self._keyring.use(UserID(user)) as machine:
            if raw.get("to_device_id") != machine.client.device_id:
                await self._done(row, "for a device that we had before")
                return
            async with self._units.unit() as connection:
                if not await self._is_open(connection, row):
                    return
                await _handle(machine, event, raw)
                for session_id in _taken(machine.received):
                    self._released = True
                    await connection.execute(self._sql["key_came"], session_id=session_id)
                await connection.execute(self._sql["done"], id=row["id"])
            said, wedged = _taken(machine.client.dispatched), _taken(machine.wedged)
        for sender, sender_key in wedged:
            self._begin_anew(UserID(user), sender, sender_key)
        for sender, kind, content in said:
            step = message_between_devices(sender, kind, content)
            if step is not None:
                await self._hear(UserID(user), step)

    def _begin_anew(self, user: UserID, sender: UserID, sender_key: IdentityKey) -> None:
        """Beside everything else: it asks other homeservers."""

        async def begin() -> None:
            async with self._keyring.use(user) as machine:
                await machine.begin_anew(sender, sender_key)

        task = asyncio.create_task(begin(), name="olm session anew")
        self._anew.add(task)
        task.add_done_callback(self._anew.discard)

    async def _is_open(self, connection: Connection, row: Row) -> bool:
        """Whether it is still to be read; whoever takes it back waits from now on."""
        found = await connection.fetch_one(self._sql["lock"], id=row["id"])
        return found is not None and found["state"] == "new"

    async def _done(self, row: Row, why: str) -> None:
        logger.info("raw_dropped", extra={"why": why})
        async with self._units.unit() as connection:
            await connection.execute(self._sql["done"], id=row["id"])


async def _handle(machine: KeyMachine, event: ToDeviceEvent, raw: Mapping[str, JSON]) -> None:
    try:
        if event.type == EventType.TO_DEVICE_ENCRYPTED:
            await machine.handle_to_device_event(event)
        elif raw["type"].startswith("m.key.verification."):
            machine.client.dispatched.append((event.sender, raw["type"], raw["content"]))
        # Nothing is told to who asks for keys: we have no second device.
    except (MautrixError, SerializerError, ValueError, KeyError, AttributeError) as error:
        # Most of all one that comes again, or whose session is lost: its sender is told by us.
        logger.info(
            "message_unreadable", extra={"sender": event.sender, "error": repr(error)[:300]}
        )


def _readable(raw: Mapping[str, JSON]) -> ToDeviceEvent | None:
    content = raw.get("content")
    if not is_id(raw.get("sender")) or not is_id(raw.get("type")) or not isinstance(content, dict):
        return None
    if raw["type"] == "m.room.encrypted" and not is_id(content.get("sender_key")):
        return None
    told: Any = {name: raw.get(name) for name in ("sender", "content", "type")}
    try:
        return ToDeviceEvent.deserialize(told)
    except (SerializerError, ValueError, TypeError, AttributeError, KeyError):
        return None


def _aged(event: dict[str, JSON], waited_ms: int) -> dict[str, JSON]:
    """What it waited for its key makes it older."""
    unsigned = mapping(event.get("unsigned"))
    age = unsigned.get("age")
    if not isinstance(age, int):
        return event
    return {**event, "unsigned": {**unsigned, "age": age + waited_ms}}


def _taken(items: list[Any]) -> Sequence[Any]:
    taken, items[:] = list(items), []
    return taken
