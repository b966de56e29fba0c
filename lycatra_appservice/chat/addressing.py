"""Who of us a message is meant for, by its words alone. Pure."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import Inbound, UserID

_CODE: Final = re.compile(r"```.*?(?:```|$)|`[^`\n]*`", re.DOTALL)
_QUOTED_LINE: Final = re.compile(r"^>.*$", re.MULTILINE)
# "@lycatra:elsewhere.org" is somebody else, although it begins like one of our names.
_NO_SERVER: Final = r"(?!:[a-z0-9-]+(?:\.[a-z0-9-]+)+)"
_AFTER_A_NAME: Final = rf"{_NO_SERVER}(?:[\s:,]+|$)"
_BEFORE_AN_ID: Final = r"""(?<![^\s(\[{<"',;:*_~|])"""
_AFTER_AN_ID: Final = r"(?![\w/-]|[.:]\w)"


@dataclass(frozen=True, slots=True)
class Addressed:
    """Who is meant, first named first, and the message without the names at its beginning."""

    users: tuple[UserID, ...]
    words: str


class Addressing:
    """Finds our users in a message.

    A name typed without a mention counts only at the beginning of the message, since clients
    write `m.mentions: {}` for typed names, and localparts occur in links and ordinary words.
    """

    def __init__(self, users: VirtualUsers) -> None:
        self._users = users
        ids = [(name, user) for user in users.all for name in _ids(users, user)]
        names = [*ids, *((users.display_name(user), user) for user in users.all)]
        self._first = _Spelled(names, lambda any_of: rf"\s*@?{any_of}{_AFTER_A_NAME}")
        # Behind the first name a bare display name may be an ordinary word of the question.
        self._next_id = _Spelled(ids, lambda any_of: rf"{any_of}{_AFTER_A_NAME}")
        self._next_name = _Spelled(names, lambda any_of: rf"@{any_of}{_AFTER_A_NAME}")
        self._anywhere = _Spelled(
            [(user, user) for user in users.all],
            lambda any_of: f"{_BEFORE_AN_ID}{any_of}{_AFTER_AN_ID}",
        )

    def of(self, inbound: Inbound) -> Addressed:
        """Read a message; `users` is empty when it names none of us."""
        named, words = self._names_at_start(inbound.body)
        spoken = _QUOTED_LINE.sub("", _CODE.sub("", inbound.body))
        written = self._anywhere.all_in(spoken)
        mentioned = [user for user in self._users.all if user in inbound.mentions]
        return Addressed(tuple(dict.fromkeys([*named, *written, *mentioned])), words.strip())

    def _names_at_start(self, body: str) -> tuple[Sequence[UserID], str]:
        named: list[UserID] = []
        found = self._first.at(body, 0)
        end = 0
        while found is not None:
            user, end = found
            named.append(user)
            found = self._next_id.at(body, end) or self._next_name.at(body, end)
        return named, body[end:]


class _Spelled:
    """Spellings of our users in one place of a text, each in a group of its own.

    The group tells the user; the text that matched would not always, since ignoring case makes
    more letters equal than any way to change their case.
    """

    def __init__(
        self, spellings: Sequence[tuple[str, UserID]], around: Callable[[str], str]
    ) -> None:
        # Longest first: "@lycatra_updates" must not be read as "@lycatra" and a rest.
        longest_first = sorted(spellings, key=lambda pair: -len(pair[0]))
        self._users = [user for _, user in longest_first]
        any_of = "|".join(f"({re.escape(spelling)})" for spelling, _ in longest_first)
        self._pattern = re.compile(around(f"(?:{any_of})"), re.IGNORECASE)

    def at(self, text: str, start: int) -> tuple[UserID, int] | None:
        """Who is named at this place, and where the name with what follows it ends."""
        found = self._pattern.match(text, start)
        return (self._whose(found), found.end()) if found else None

    def all_in(self, text: str) -> Sequence[UserID]:
        """Everybody named anywhere, in order."""
        return [self._whose(found) for found in self._pattern.finditer(text)]

    def _whose(self, found: re.Match[str]) -> UserID:
        return self._users[(found.lastindex or 1) - 1]


def _ids(users: VirtualUsers, user: UserID) -> Sequence[str]:
    return user, user.removeprefix("@"), users.localpart_of(user)
