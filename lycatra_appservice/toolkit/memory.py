"""What a tool may remember between two calls: small JSON values by key."""

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from lycatra_appservice.errors import ToolFailedError
from lycatra_appservice.model import JSON, Caller
from lycatra_appservice.words.text import Text

MAX_VALUE_BYTES: Final = 16 * 1024
MAX_KEYS: Final = 200  # of a namespace in one place

_KEY: Final = re.compile(r"[A-Za-z0-9@!#$:._+/=-]{1,200}")  # Matrix ids, too


class KeyValues(Protocol):
    """The values of one namespace in one place. Kept over restarts, the same on every replica.

    A key is 1 to 200 letters, digits and signs of Matrix ids; else ValueError. At most 200 keys,
    and 16 KiB of JSON a value; beyond that, and while the database is away, ToolFailedError.
    """

    async def get(self, key: str) -> JSON:
        """The value; None when there is none."""

    async def put(self, key: str, value: JSON) -> None:
        """Keep a value instead of the one before; None drops it."""

    async def change(self, key: str, how: Callable[[JSON], JSON]) -> JSON:
        """Keep what `how` makes of the value before, and return it.

        Nobody else changes it meanwhile, so `how` has to be quick and may not wait for anything.
        """

    async def keys(self) -> Sequence[str]:
        """All keys, sorted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Where a tool can remember something.

    `room` is for the room that the call came from (without one: for the person), and forgotten
    when nothing in it was changed for a year. `everywhere` is one for the whole deployment.
    """

    room: KeyValues
    everywhere: KeyValues


class Memory(Protocol):
    """Gives each namespace its values."""

    def of(self, namespace: str, place: str) -> KeyValues:
        """Those of one place, as `place_of` names it; an empty one is the whole deployment."""


def state_of(memory: Memory, namespace: str, caller: Caller) -> State:
    """The state that a tool of a namespace is given for a call."""
    return State(room=memory.of(namespace, place_of(caller)), everywhere=memory.of(namespace, ""))


def place_of(caller: Caller) -> str:
    """The room, else the person; both begin with a sign of their own."""
    return caller.room_id or caller.user_id


def with_question(key: str, caller: Caller) -> str:
    """The key, so marked that its value is erased when the question of this call is deleted.

    It stays the same when that question is asked again by a later run. Up to 160 characters.
    """
    question = caller.on_behalf_of_turn
    return key if question is None else f"{key}{mark_of(question)}"


def mark_of(trigger_id: str) -> str:
    """The end of the keys of what a question has left."""
    return f"#{hashlib.sha256(trigger_id.encode()).hexdigest()[:32]}"


def checked_key(key: str) -> str:
    """The key; ValueError for one that cannot be."""
    if not _KEY.fullmatch(key):
        raise ValueError("a key of the state is 1 to 200 letters, digits or signs of Matrix ids")
    return key


def encoded(value: JSON) -> str:
    """The value as it is kept.

    Raises ToolFailedError when it is too large, TypeError or ValueError when it is no JSON.
    """
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    if len(text) > MAX_VALUE_BYTES:
        raise ToolFailedError(Text("state_too_large", kib=MAX_VALUE_BYTES // 1024))
    return text


class ShortMemory:
    """A memory that ends with the process, for trying tools out."""

    def __init__(self) -> None:
        self._places: dict[tuple[str, str], dict[str, str]] = {}

    def of(self, namespace: str, place: str) -> "ShortKeyValues":
        """The values of one place."""
        return ShortKeyValues(self._places.setdefault((namespace, place), {}))


class ShortKeyValues:
    """Keeps the JSON text, so that nobody changes a value without putting it."""

    def __init__(self, kept: dict[str, str]) -> None:
        self._kept = kept

    async def get(self, key: str) -> JSON:
        """The value; None when there is none."""
        return json.loads(self._kept.get(checked_key(key), "null"))

    async def put(self, key: str, value: JSON) -> None:
        """Keep a value; None drops it."""
        await self.change(key, lambda _: value)

    async def change(self, key: str, how: Callable[[JSON], JSON]) -> JSON:
        """Keep what `how` makes of the value before."""
        value = how(await self.get(key))
        text = encoded(value)
        if value is None:
            self._kept.pop(key, None)
        elif key not in self._kept and len(self._kept) >= MAX_KEYS:
            raise too_many_keys()
        else:
            self._kept[key] = text
        return value

    async def keys(self) -> Sequence[str]:
        """All keys, sorted."""
        return sorted(self._kept)


def too_many_keys() -> ToolFailedError:
    """Why one more cannot be kept."""
    return ToolFailedError(Text("state_too_many", most=MAX_KEYS))
