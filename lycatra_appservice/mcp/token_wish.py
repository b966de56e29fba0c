"""What stands behind `!mcp`, or `lycatra token`: the wish, or what is wrong with it. Pure."""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from lycatra_appservice.errors import LycatraError
from lycatra_appservice.mcp.tokens import LONGEST, USUAL, Scope
from lycatra_appservice.words.text import Text

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
_ROOM: Final = re.compile(r"(?i:here)|![^\s]{1,254}")
_OPTIONS: Final = frozenset({"--scope", "--days", "--room"})
_DASHES: Final = re.compile("^[\u2014\u2013]+")  # phones make one long dash of two short ones


@dataclass(frozen=True, slots=True)
class Show:
    """How to connect."""


@dataclass(frozen=True, slots=True)
class List:
    """The living tokens."""


@dataclass(frozen=True, slots=True)
class Revoke:
    """End one."""

    name: str


@dataclass(frozen=True, slots=True)
class New:
    """Make one. `room` is an internal room id, or `here` in whatever case."""

    name: str
    scope: Scope = Scope.OPERATE
    days: int = USUAL.days
    room: str | None = None


Wish: TypeAlias = Show | List | Revoke | New


class WrongWishError(LycatraError):
    """The words do not fit; `said` tells how they would."""

    def __init__(self, said: Text) -> None:
        super().__init__(said.key)
        self.said = said


def read_wish(words: str) -> Wish:
    """Read it. Raises WrongWishError."""
    try:
        parts = shlex.split(words)
    except ValueError:
        raise _wrong() from None
    match parts:
        case []:
            return Show()
        case ["token" | "tokens"] | ["token" | "tokens", "list"] | ["list"]:
            return List()
        case ["token", "revoke", name] | ["revoke", name]:
            return Revoke(name)
        case ["token", "new", name, *rest] | ["new", name, *rest]:
            return new_wish(name, _options(rest))
        case _:
            raise _wrong()


def new_wish(name: str, options: Mapping[str, str]) -> New:
    """The wish for a token; `options` by `--name`. Raises WrongWishError."""
    if not NAME.fullmatch(name):
        raise WrongWishError(Text("mcp_token_bad_name"))
    return New(
        name=name,
        scope=_scope(options.get("--scope", Scope.OPERATE.value)),
        days=_days(options.get("--days", str(USUAL.days))),
        room=_room(options.get("--room")),
    )


def _options(parts: Sequence[str]) -> Mapping[str, str]:
    words = " ".join(_DASHES.sub("--", part) for part in parts).replace("=", " ").split()
    given = dict(zip(words[::2], words[1::2], strict=False))
    if len(given) * 2 != len(words) or not given.keys() <= _OPTIONS:
        raise _wrong()
    return given


def _scope(text: str) -> Scope:
    try:
        return Scope(text.lower())
    except ValueError:
        raise _wrong() from None


def _days(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text[:9]) <= LONGEST.days:
        raise WrongWishError(Text("mcp_token_bad_days", most=LONGEST.days))
    return int(text)


def _room(text: str | None) -> str | None:
    if text is not None and not _ROOM.fullmatch(text):
        raise _wrong()
    return text


def _wrong() -> WrongWishError:
    return WrongWishError(Text("mcp_wrong_words"))
