"""Whom a configuration may name: people, members of rooms, power levels, servers, everybody."""

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

_SERVER_NAME: Final = re.compile(r"(?:[A-Za-z0-9.-]{1,230}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?")
_ROOM_ID: Final = re.compile(r"![^\s:,*]{1,250}(?::(?P<server>\S+))?")
_POWER: Final = re.compile(r"power:(?P<power>\d{1,15})(?: +in +(?P<room>\S+))?")
_SHAPES: Final = (
    "should be a Matrix ID '@name:server', the members of a room 'room:!id', a power level "
    "'power:50' or 'power:50 in !id', a whole server '*:server' or '*'"
)
_NO_ALIAS: Final = (
    "should name the room by its id, as in 'room:!abc' (in most clients: room settings, "
    "advanced): an alias can be moved to another room"
)


class ActorKind(IntEnum):
    """What an entry names; a higher one is more specific and goes first."""

    EVERYBODY = 0
    SERVER = 1
    POWER = 2
    ROOM = 3
    POWER_IN_ROOM = 4  # some of the members of a room
    PERSON = 5

    @property
    def is_about_a_room(self) -> bool:
        """Whether it takes a room to tell whom it names."""
        return self in {ActorKind.POWER, ActorKind.ROOM, ActorKind.POWER_IN_ROOM}


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """One entry of a list. `name` is a user id or a server's name, where it names one of these."""

    kind: ActorKind
    written: str
    name: str = ""
    room: str = ""
    power: int = 0


def read_actor(written: str) -> Actor:
    """Read `@name:server`, `room:!id`, `power:50`, `power:50 in !id`, `*:server` or `*`.

    Raises ValueError with a sentence that begins with "should".
    """
    if written == "*":
        return Actor(kind=ActorKind.EVERYBODY, written=written)
    if written.startswith("room:"):
        room = _room_id(written.removeprefix("room:"))
        return Actor(kind=ActorKind.ROOM, written=written, room=room)
    if written.startswith("power:"):
        return _power(written)
    local, _, server = written.partition(":")
    if not is_server_name(server):
        raise ValueError(_SHAPES)
    if local == "*":
        return Actor(kind=ActorKind.SERVER, written=written, name=server)
    if not is_localpart(local):
        raise ValueError(_SHAPES)
    return Actor(kind=ActorKind.PERSON, written=written, name=written)


def is_server_name(text: str) -> bool:
    """Whether this is a Matrix server name: a host or address, perhaps with a port."""
    return _SERVER_NAME.fullmatch(text) is not None


def is_localpart(text: str) -> bool:
    """Whether this can stand before the colon of a user id, with its `@`."""
    return len(text) > 1 and text.startswith("@") and "*" not in text and text.isprintable()


def _power(written: str) -> Actor:
    found = _POWER.fullmatch(written)
    if found is None:
        raise ValueError(_SHAPES)
    power = int(found["power"])
    if found["room"] is None:
        return Actor(kind=ActorKind.POWER, written=written, power=power)
    room = _room_id(found["room"])
    return Actor(kind=ActorKind.POWER_IN_ROOM, written=written, room=room, power=power)


def _room_id(text: str) -> str:
    if text.startswith("#"):
        raise ValueError(_NO_ALIAS)
    found = _ROOM_ID.fullmatch(text)
    # The ids of rooms of version 12 have no server.
    if found is None or (found["server"] is not None and not is_server_name(found["server"])):
        raise ValueError(_SHAPES)
    return text
