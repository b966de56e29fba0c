"""Puts together what the owner of the keys works with."""

from time import monotonic

from pydantic import SecretStr

from lycatra_appservice.db.connection import Database, Signals
from lycatra_appservice.matrix.client import MatrixClient
from lycatra_appservice.matrix.crypto.devices_of_people import DevicesOfPeople
from lycatra_appservice.matrix.crypto.keyring import Keyring
from lycatra_appservice.matrix.crypto.lease import KeyLease
from lycatra_appservice.matrix.crypto.opener import OpenedEvents, Opener
from lycatra_appservice.matrix.crypto.own_devices import OwnDevices
from lycatra_appservice.matrix.crypto.owner import LEASE, KeyOwner
from lycatra_appservice.matrix.crypto.sealer import ReadRoom, Sealer
from lycatra_appservice.matrix.crypto.secret import KeySecret
from lycatra_appservice.matrix.crypto.unit import KeyUnits
from lycatra_appservice.matrix.crypto.upkeep import KeyUpkeep, Unreadable
from lycatra_appservice.matrix.crypto.verification import Verifications
from lycatra_appservice.matrix.crypto.verifying import EmojiShown, Verifying
from lycatra_appservice.matrix.users import VirtualUsers


def build_owner(
    database: Database,
    signals: Signals,
    client: MatrixClient,
    users: VirtualUsers,
    secret: SecretStr,
    *,
    owner: str,
    read_room: ReadRoom,
    opened: OpenedEvents,
    unreadable: Unreadable,
    shown: EmojiShown,
) -> KeyOwner:
    """Put one together."""
    lease = KeyLease(database, owner, LEASE)
    units = KeyUnits(database, lease)
    keys = KeySecret(secret)
    keyring = Keyring(database, client, units, keys)
    people = DevicesOfPeople(database, units)
    sealer = Sealer(database, units, keyring, people, users, read_room)
    ports = Verifying(database, client, keyring, people, sealer, keys, shown)
    opener = Opener(
        database, units, keyring, people, users, opened, Verifications(ports, monotonic)
    )
    ours = OwnDevices(database, client, users, keyring, units, keys)
    upkeep = KeyUpkeep(database, units, keyring, ours, users, unreadable)
    return KeyOwner(lease, keyring, opener, sealer, upkeep, signals)
