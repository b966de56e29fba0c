"""The keys of one of our users, as the crypto machine asks for them (mautrix 0.21, CryptoStore).

Nothing is remembered here: what the machine reads is what stands in the database, so whoever
takes the keys over goes on exactly where the other one stopped.
"""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import NoReturn

from mautrix.crypto import InboundGroupSession, OlmAccount, OutboundGroupSession, Session
from mautrix.crypto.store import CryptoStore
from mautrix.types import (
    CrossSigner,
    CrossSigningUsage,
    DeviceID,
    DeviceIdentity,
    EventID,
    IdentityKey,
    RoomID,
    SessionID,
    SigningKey,
    TOFUSigningKey,
    TrustState,
    UserID,
)

from lycatra_appservice.db.connection import Row
from lycatra_appservice.db.statements import Dialect, Statements
from lycatra_appservice.matrix.crypto.unit import KeyUnits


class KeyStore(CryptoStore):
    """Keys that open rooms and the devices of people are the same for all of us."""

    def __init__(
        self, units: KeyUnits, dialect: Dialect, user_id: UserID, device_id: DeviceID, pickle: str
    ) -> None:
        """`pickle` closes what is stored."""
        self.account_id = user_id
        self.pickle_key = pickle
        self._units = units
        self._sql = Statements.load(__package__, "keys", dialect)
        self._user_id = user_id
        self._device_id = device_id
        self.members = ""  # whom a room key is being given to; kept with it

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:  # type: ignore[override] # by mistake there
        """All that is stored inside is stored at once."""
        async with self._units.unit():
            yield

    async def get_device_id(self) -> DeviceID:
        """Our device."""
        return self._device_id

    async def put_device_id(self, device_id: DeviceID) -> NoReturn:
        """Never changes: another device is another account."""
        raise NotImplementedError

    async def delete(self) -> NoReturn:
        """Nothing asks for it."""
        raise NotImplementedError

    async def put_account(self, account: OlmAccount) -> None:
        """Keep it, with its one-time keys."""
        await self._execute(
            "put_account",
            user_id=self._user_id,
            device_id=self._device_id,
            signing_key=account.signing_key,
            pickle=account.pickle(self.pickle_key),
            shared=int(account.shared),
        )

    async def get_account(self) -> OlmAccount | None:
        """What was kept."""
        row = await self._one("get_account", user_id=self._user_id)
        if row is None:
            return None
        return OlmAccount.from_pickle(
            bytes(row["pickle"]), self.pickle_key, shared=bool(row["shared"])
        )

    # --- Olm: between two devices ---------------------------------------------------------

    async def has_session(self, key: IdentityKey) -> bool:
        """Whether there is one with this device."""
        row = await self._one("has_olm", user_id=self._user_id, sender_key=key)
        return row is not None

    async def get_sessions(self, key: IdentityKey) -> list[Session]:
        """All of them, the best first."""
        rows = await self._units.fetch(self._sql["get_olm"], user_id=self._user_id, sender_key=key)
        return [self._olm(row) for row in rows]

    async def get_latest_session(self, key: IdentityKey) -> Session | None:
        """The one to encrypt with."""
        row = await self._one("get_olm", user_id=self._user_id, sender_key=key)
        return None if row is None else self._olm(row)

    async def add_session(self, key: IdentityKey, session: Session) -> None:
        """Keep a new one, and not too many of them."""
        async with self._units.unit():
            await self.update_session(key, session)
            await self._execute("prune_olm", user_id=self._user_id, sender_key=key)

    async def update_session(self, key: IdentityKey, session: Session) -> None:
        """Keep what became of it."""
        await self._execute(
            "put_olm",
            user_id=self._user_id,
            sender_key=key,
            session_id=session.id,
            pickle=session.pickle(self.pickle_key),
            created_at=_ms(session.creation_time),
            encrypted_at=_ms(session.last_encrypted),
            decrypted_at=_ms(session.last_decrypted),
        )

    # --- Megolm: what opens a room's messages ---------------------------------------------

    async def put_group_session(
        self,
        room_id: RoomID,
        sender_key: IdentityKey,
        session_id: SessionID,
        session: InboundGroupSession,
    ) -> None:
        """Keep the key of somebody's messages, unless there is one that opens as many."""
        known = await self.get_group_session(room_id, session_id)
        if known is not None and known.first_known_index <= session.first_known_index:
            return
        await self._execute(
            "put_room_key",
            room=room_id,
            session_id=session_id,
            sender_key=sender_key,
            signing_key=session.signing_key,
            chain=json.dumps(session.forwarding_chain),
            pickle=session.pickle(self.pickle_key),
        )

    async def get_group_session(
        self, room_id: RoomID, session_id: SessionID
    ) -> InboundGroupSession | None:
        """The key of somebody's messages; None when it has not come."""
        row = await self._one("get_room_key", room=room_id, session_id=session_id)
        if row is None:
            return None
        return InboundGroupSession.from_pickle(
            bytes(row["pickle"]),
            passphrase=self.pickle_key,
            signing_key=SigningKey(row["signing_key"]),
            sender_key=IdentityKey(row["sender_key"]),
            room_id=room_id,
            forwarding_chain=json.loads(row["chain"]),
        )

    async def has_group_session(self, room_id: RoomID, session_id: SessionID) -> bool:
        """Whether it has come."""
        return await self._one("get_room_key", room=room_id, session_id=session_id) is not None

    async def redact_group_session(
        self, room_id: RoomID, session_id: SessionID, reason: str
    ) -> NoReturn:
        """Retention erases keys by their last use; the machine is told to erase none."""
        raise NotImplementedError

    async def redact_group_sessions(
        self, room_id: RoomID | None, sender_key: IdentityKey | None, reason: str
    ) -> NoReturn:
        """The same for several."""
        raise NotImplementedError

    async def redact_expired_group_sessions(self) -> NoReturn:
        """The same for old ones."""
        raise NotImplementedError

    async def redact_outdated_group_sessions(self) -> NoReturn:
        """The same for incomplete ones."""
        raise NotImplementedError

    async def validate_message_index(
        self,
        sender_key: IdentityKey,
        session_id: SessionID,
        event_id: EventID,
        index: int,
        timestamp: int,
    ) -> bool:
        """Whether this place in the session is free, or was this event's."""
        async with self._units.unit() as connection:
            await connection.execute(
                self._sql["put_place"],
                session_id=session_id,
                place=index,
                event_id=event_id,
                sent_at=timestamp,
            )
            row = await connection.fetch_one(
                self._sql["get_place"], session_id=session_id, place=index
            )
        return row is not None and (row["event_id"], row["sent_at"]) == (event_id, timestamp)

    # --- Megolm: what closes our own messages ---------------------------------------------

    async def add_outbound_group_session(self, session: OutboundGroupSession) -> None:
        """Keep one that was given to everybody in the room."""
        await self._execute("put_outbound", members=self.members, **self._outbound_values(session))

    async def update_outbound_group_session(self, session: OutboundGroupSession) -> None:
        """Keep that one more message was closed with it."""
        values = self._outbound_values(session)
        await self._execute(
            "step_outbound",
            **{
                name: values[name]
                for name in ("user_id", "room", "session_id", "pickle", "messages", "used_at")
            },
        )

    async def get_outbound_group_session(self, room_id: RoomID) -> OutboundGroupSession | None:
        """The one in use; its `members` are those who were given it."""
        row = await self._one("get_outbound", user_id=self._user_id, room=room_id)
        if row is None:
            return None
        session = OutboundGroupSession.from_pickle(
            bytes(row["pickle"]),
            passphrase=self.pickle_key,
            max_age=timedelta(milliseconds=row["max_age_ms"]),
            max_messages=row["max_messages"],
            creation_time=_time(row["created_at"]),
            use_time=_time(row["used_at"]),
            message_count=row["messages"],
            room_id=room_id,
            shared=True,
        )
        session.members = row["members"]
        return session

    async def remove_outbound_group_session(self, room_id: RoomID) -> None:
        """Begin a new one with the next message."""
        await self._execute("drop_outbound", user_id=self._user_id, room=room_id)

    async def remove_outbound_group_sessions(self, rooms: list[RoomID]) -> None:
        """Begin new ones in several rooms."""
        for room_id in rooms:
            await self.remove_outbound_group_session(room_id)

    def _outbound_values(self, session: OutboundGroupSession) -> Mapping[str, object]:
        return {
            "user_id": self._user_id,
            "room": session.room_id,
            "session_id": session.id,
            "pickle": session.pickle(self.pickle_key),
            "max_age_ms": int(session.max_age.total_seconds() * 1000),
            "max_messages": session.max_messages,
            "messages": session.message_count,
            "created_at": _ms(session.creation_time),
            "used_at": _ms(session.use_time),
        }

    # --- devices of people ----------------------------------------------------------------

    async def get_devices(self, user_id: UserID) -> dict[DeviceID, DeviceIdentity] | None:
        """A person's devices; None when they were never asked for."""
        person = await self._one("get_person", user_id=user_id)
        if person is None or person["known"] < 0:
            return None
        rows = await self._units.fetch(self._sql["get_devices"], user_id=user_id)
        devices = [_device(user_id, row) for row in rows]
        return {device.device_id: device for device in devices}

    async def get_device(self, user_id: UserID, device_id: DeviceID) -> DeviceIdentity | None:
        """One device."""
        row = await self._one("get_device", user_id=user_id, device_id=device_id)
        return None if row is None else _device(user_id, row)

    async def find_device_by_key(
        self, user_id: UserID, identity_key: IdentityKey
    ) -> DeviceIdentity | None:
        """The device with this key."""
        row = await self._one("find_device", user_id=user_id, identity_key=identity_key)
        return None if row is None else _device(user_id, row)

    async def put_devices(self, user_id: UserID, devices: dict[DeviceID, DeviceIdentity]) -> None:
        """Replace all of them."""
        async with self._units.unit() as connection:
            await connection.execute(self._sql["track"], user_id=user_id)
            await connection.execute(self._sql["drop_devices"], user_id=user_id)
            await connection.execute_many(
                self._sql["put_device"],
                [
                    {
                        "user_id": user_id,
                        "device_id": device.device_id,
                        "identity_key": device.identity_key,
                        "signing_key": device.signing_key,
                        "name": device.name,
                    }
                    for _, device in sorted(devices.items())
                ],
            )

    async def person_changed(self, user_id: UserID) -> None:
        """Begin new sessions, all of us, wherever this person is."""
        await self._execute("drop_outbound_of_person", person=user_id)

    async def filter_tracked_users(self, users: list[UserID]) -> list[UserID]:
        """Those whose devices are followed."""
        return [user for user in users if await self._one("get_person", user_id=user)]

    # --- who has signed whom: nothing here is decided by it -------------------------------

    async def put_cross_signing_key(
        self, user_id: UserID, usage: CrossSigningUsage, key: SigningKey
    ) -> None:
        """Not kept."""

    async def get_cross_signing_keys(
        self, user_id: UserID
    ) -> dict[CrossSigningUsage, TOFUSigningKey]:
        """None."""
        return {}

    async def put_signature(
        self, target: CrossSigner, signer: CrossSigner, signature: str
    ) -> None:
        """Not kept."""

    async def is_key_signed_by(self, target: CrossSigner, signer: CrossSigner) -> bool:
        """Nothing is known of it."""
        return False

    async def drop_signatures_by_key(self, signer: CrossSigner) -> int:
        """There are none."""
        return 0

    # --- the table ------------------------------------------------------------------------

    def _olm(self, row: Row) -> Session:
        return Session.from_pickle(
            bytes(row["pickle"]),
            passphrase=self.pickle_key,
            creation_time=_time(row["created_at"]),
            last_encrypted=_time(row["encrypted_at"]),
            last_decrypted=_time(row["decrypted_at"]),
        )

    async def _one(self, name: str, **values: object) -> Row | None:
        return await self._units.fetch_one(self._sql[name], **values)

    async def _execute(self, name: str, **values: object) -> None:
        async with self._units.unit() as connection:
            await connection.execute(self._sql[name], **values)


def _device(user_id: UserID, row: Row) -> DeviceIdentity:
    return DeviceIdentity(
        user_id=user_id,
        device_id=DeviceID(row["device_id"]),
        identity_key=IdentityKey(row["identity_key"]),
        signing_key=SigningKey(row["signing_key"]),
        trust=TrustState.UNVERIFIED,
        deleted=False,
        name=row["name"] or "",
    )


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _time(ms: int) -> datetime:
    # The machine compares with datetime.now(), which has no zone.
    return datetime.fromtimestamp(ms / 1000)  # noqa: DTZ006
