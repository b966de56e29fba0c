"""Who of us a message is meant for, by its words alone. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import Inbound, UserID

_CODE = re.compile(r"```.*?(?:```|$)|`[^`\n]*`", re.DOTALL)
_QUOTED_LINE = re.compile(r"^>.*$", re.MULTILINE)
_AFTER_A_NAME = r"(?:[\s:,]+|$)"


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
        names = [(name, user) for user in users.all for name in _names(users, user)]
        # Longest first: "@lycatra_updates" must not be read as "@lycatra" and a rest.
        names.sort(key=lambda pair: -len(pair[0]))
        self._by_name = {name.casefold(): user for name, user in names}
        alternatives = "|".join(re.escape(name) for name, _ in names)
        self._at_start = re.compile(rf"\s*@?({alternatives}){_AFTER_A_NAME}", re.IGNORECASE)
        self._mxid = re.compile(
            "|".join(rf"(?<![\w@]){re.escape(user)}(?![\w.-])" for user in users.all)
        )

    def of(self, inbound: Inbound) -> Addressed:
        """Read a message; `users` is empty when it names none of us."""
        named, words = self._names_at_start(inbound.body)
        mentioned = [user for user in self._users.all if user in inbound.mentions]
        spoken = _QUOTED_LINE.sub("", _CODE.sub("", inbound.body))
        written = [UserID(match) for match in self._mxid.findall(spoken)]
        return Addressed(tuple(dict.fromkeys([*named, *written, *mentioned])), words.strip())

    def _names_at_start(self, body: str) -> tuple[list[UserID], str]:
        named: list[UserID] = []
        match = self._at_start.match(body)
        while match:
            named.append(self._by_name[match.group(1).casefold()])
            body = body[match.end() :]
            match = self._at_start.match(body)
        return named, body


def _names(users: VirtualUsers, user: UserID) -> Iterable[str]:
    yield user
    yield user.removeprefix("@")
    yield users.localpart_of(user)
    yield users.display_name(user)
