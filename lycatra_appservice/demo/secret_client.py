"""A person's client that encrypts, on mautrix' crypto machine: for rooms that are all encrypted.

Imported only where that is asked for: its libraries are an extra.
"""

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, Self, cast

import aiohttp
from mautrix.crypto import OlmMachine
from mautrix.crypto.store import MemoryCryptoStore
from mautrix.errors import CryptoError
from mautrix.types import (
    DeviceID,
    DeviceLists,
    DeviceOTKCount,
    EncryptedEvent,
    EventType,
    IdentityKey,
    ToDeviceEvent,
    UserID,
)

from lycatra_appservice.demo.client_api import ClientApiError
from lycatra_appservice.demo.key_calls import KeyCalls, OurRooms
from lycatra_appservice.demo.people import Person
from lycatra_appservice.demo.person_client import PersonClient
from lycatra_appservice.model import JSON, EventID, RoomID

_SEALED: Final = "m.room.encrypted"
_KEYS_ONLY: Final = json.dumps(
    {"presence": {"types": []}, "account_data": {"types": []}, "room": {"rooms": []}}
)
