"""Who has the keys: one at a time, and whoever lost them writes nothing; on both databases."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import timedelta

import pytest
from mautrix.crypto import OlmAccount, OutboundGroupSession
from mautrix.types import DeviceID, IdentityKey, RoomID, SessionID

from lycatra_appservice.db.migrate import UpgradableDatabase
from lycatra_appservice.matrix.crypto.key_store import KeyStore
from lycatra_appservice.matrix.crypto.lease import KeyLease, KeysLostError
from lycatra_appservice.matrix.crypto.unit import KeyUnits
from lycatra_appservice.model import EventID, UserID

LONG, NONE = timedelta(hours=1), timedelta(milliseconds=-1)
MAIN = UserID("@lycatra:hs.test")
PICKLE = "what closes the keys of this test"


@dataclass(frozen=True)
class Holder:
    """A replica that wants the keys."""

    lease: KeyLease
    units: KeyUnits
    store: KeyStore


def holder(database: UpgradableDatabase, name: str, span: timedelta = LONG) -> Holder:
    lease = KeyLease(database, name, span)
    units = KeyUnits(database, lease)
    store = KeyStore(units, database.dialect, MAIN, DeviceID("LYCETEST"), PICKLE)
    return Holder(lease, units, store)


@pytest.fixture
async def first(database: UpgradableDatabase) -> Holder:
    made = holder(database, "first")
    assert await made.lease.take()
    return made


async def test_what_the_owner_stores_is_there(first: Holder) -> None:
    account = OlmAccount()

    await first.store.put_account(account)

    stored = await first.store.get_account()
    assert stored is not None
    assert stored.identity_keys == account.identity_keys


async def test_whoever_never_had_the_keys_stores_nothing(
    database: UpgradableDatabase, first: Holder
) -> None:
    with pytest.raises(KeysLostError):
        await holder(database, "other").store.put_account(OlmAccount())

    assert await first.store.get_account() is None


async def test_whoever_lost_the_keys_stores_nothing_more(database: UpgradableDatabase) -> None:
    frozen, other = holder(database, "frozen", NONE), holder(database, "other")
    assert await frozen.lease.take()
    account = OlmAccount()
    await frozen.store.put_account(account)
    assert await other.lease.take()

    with pytest.raises(KeysLostError):
        await frozen.store.put_account(OlmAccount())
    with pytest.raises(KeysLostError):
        await frozen.lease.renew()

    stored = await other.store.get_account()
    assert stored is not None
    assert stored.identity_keys == account.identity_keys


async def test_what_is_given_back_can_be_taken_at_once(
    database: UpgradableDatabase, first: Holder
) -> None:
    await first.lease.give_back()

    assert not first.lease.is_held
    assert await holder(database, "other").lease.take()
    with pytest.raises(KeysLostError):
        await first.store.put_account(OlmAccount())


async def test_a_unit_is_stored_whole_or_not_at_all(first: Holder) -> None:
    async def store_and_fail() -> None:
        async with first.store.transaction():
            await first.store.put_account(OlmAccount())
            raise ValueError("in the middle")

    with pytest.raises(ValueError, match="in the middle"):
        await store_and_fail()

    assert await first.store.get_account() is None


async def test_a_task_that_begins_inside_a_unit_writes_by_itself(first: Holder) -> None:
    async def look() -> bool:
        return first.units.is_open

    async with first.units.unit():
        assert first.units.is_open
        assert not await asyncio.create_task(look())
    assert not first.units.is_open


async def test_another_secret_opens_nothing(database: UpgradableDatabase, first: Holder) -> None:
    await first.store.put_account(OlmAccount())
    store = KeyStore(first.units, database.dialect, MAIN, DeviceID("LYCETEST"), "another")

    with pytest.raises(Exception, match="BAD_ACCOUNT_KEY"):
        await store.get_account()


async def test_an_event_has_its_place_in_a_session_alone(first: Holder) -> None:
    def place(event_id: str, sent_at: int = 5) -> Awaitable[bool]:
        return first.store.validate_message_index(
            IdentityKey("key"), SessionID("session"), EventID(event_id), 0, sent_at
        )

    assert await place("$a")
    assert await place("$a")
    assert not await place("$b")
    assert not await place("$a", sent_at=6)


async def test_messages_written_at_once_never_share_a_place_in_their_session(
    first: Holder,
) -> None:
    room = RoomID("!room:hs.test")
    await first.store.add_outbound_group_session(OutboundGroupSession(room))

    async def write(number: int) -> int:
        async with first.units.unit():
            session = await first.store.get_outbound_group_session(room)
            assert session is not None
            place = int(session.message_index)
            session.encrypt(f"message {number}")  # type: ignore[no-untyped-call]
            await first.store.update_outbound_group_session(session)
            return place

    places = await asyncio.gather(*(write(number) for number in range(6)))

    assert sorted(places) == list(range(6))
