"""Wiring of encrypted rooms: nothing of it is even imported unless they are configured."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lycatra_appservice.chat.emoji_shown import EmojiTriggers
from lycatra_appservice.chat.unreadable import UnreadableTriggers
from lycatra_appservice.db.migrate import UpgradableDatabase
from lycatra_appservice.db.open import OpenedDatabase
from lycatra_appservice.errors import SettingsError
from lycatra_appservice.intake.opened import OpenedEventStore
from lycatra_appservice.intake.sorter import EventSorter
from lycatra_appservice.matrix.crypto.key_devices import KeyDevices
from lycatra_appservice.matrix.crypto.key_sync import KeySync
from lycatra_appservice.matrix.crypto.raw_inbox import RawInbox
from lycatra_appservice.matrix.direct_rooms import Secrecy
from lycatra_appservice.matrix.rooms import RoomStore
from lycatra_appservice.matrix.seals import Seals
from lycatra_appservice.settings import Settings
from lycatra_appservice.toolkit.extras import Extra

if TYPE_CHECKING:
    from lycatra_appservice.app.parts import Parts
    from lycatra_appservice.matrix.crypto.owner import KeyOwner

E2EE: Final = Extra(name="e2ee", module="olm")
_SECRECY: Final = {
    "off": Secrecy.REFUSED,
    "allow": Secrecy.ALLOWED,
    "default": Secrecy.WANTED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """What runs where encrypted rooms are read. `sync` is none where keys are pushed."""

    owner: "KeyOwner"
    raw: RawInbox
    devices: KeyDevices
    sync: KeySync | None


def secrecy_of(settings: Settings) -> Secrecy:
    """What encryption is to direct rooms of ours."""
    return _SECRECY[settings.encryption.mode]


def needs_extra(extra: Extra = E2EE) -> str:
    """What an operator reads who has not installed it."""
    return (
        f"encryption needs the extra {extra.name!r}, which is not installed: "
        f"run {extra.install} (with Python 3.11 or 3.12), or set encryption.mode to off"
    )


def open_seals(settings: Settings, opened: OpenedDatabase, extra: Extra = E2EE) -> Seals | None:
    """What encrypts our messages; None where encrypted rooms are not read.

    Raises SettingsError where what it needs is not installed.
    """
    secret = settings.encryption.secret
    if not settings.encryption.decrypts or secret is None:
        return None
    if not extra.is_installed:
        raise SettingsError([needs_extra(extra)])
    from lycatra_appservice.matrix.crypto.seal_desk import SealDesk

    return SealDesk(opened.database, opened.signals, secret)


async def check_secret(settings: Settings, database: UpgradableDatabase) -> None:
    """Raise WrongSecretError where the keys in the database were closed with another one."""
    secret = settings.encryption.secret
    if not settings.encryption.decrypts or secret is None:
        return
    from lycatra_appservice.matrix.crypto.keyring import expect_secret
    from lycatra_appservice.matrix.crypto.secret import KeySecret

    await expect_secret(database, KeySecret(secret))


def build_keys(parts: "Parts", rooms: RoomStore, sorter: EventSorter) -> Keys | None:
    """The owner of the keys, which may be another replica; None where there are none."""
    settings = parts.settings.encryption
    if parts.seals is None or settings.secret is None:
        return None
    from lycatra_appservice.matrix.crypto.building import build_owner

    database: UpgradableDatabase = parts.database
    raw = RawInbox(database)
    devices = KeyDevices(database)
    owner = build_owner(
        database,
        parts.opened.signals,
        parts.client,
        parts.users,
        settings.secret,
        owner=parts.owner,
        read_room=rooms.view,
        opened=OpenedEventStore(parts.inbox, sorter),
        unreadable=UnreadableTriggers(parts.inbox),
        shown=EmojiTriggers(parts.inbox),
    )
    sync = KeySync(database, parts.client, parts.users, raw, devices)
    return Keys(
        owner=owner, raw=raw, devices=devices, sync=sync if settings.keys == "sync" else None
    )
