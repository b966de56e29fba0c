"""Who of us a message is meant for, by its words alone. Pure."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from lycatra_appservice.chat.small_talk import BLANKS, INVISIBLE
from lycatra_appservice.chat.spellings import (
    Spelled,
    any_of,
    ids_of,
    names_of,
    spellings_of,
)
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import Inbound, UserID

_CODE: Final = re.compile(r"```.*?(?:```|$)|`[^`\n]*`", re.DOTALL)
_QUOTED_LINE: Final = re.compile(r"^>.*$", re.MULTILINE)
_SPACE: Final = rf"[\s{INVISIBLE}]*+"
# "@lycatra:elsewhere.org" is somebody else, although it begins like one of our names, and
# "lycatra:8080" a machine.
_NO_SERVER: Final = r"(?!:[a-z0-9-]+(?:\.[a-z0-9-]+)+|:[0-9]{2,5}(?!\w))"
_COLON: Final = "\uff1a"  # as Chinese and Japanese keyboards write them
_COMMA: Final = "\uff0c\u3001"
_MARKS: Final = "!?.\u2026\uff01\uff1f\u3002"
_AFTER_A_NAME: Final = (
    rf"{_NO_SERVER}(?:[\s:,{_COLON}{_COMMA}{INVISIBLE}]++|[{_MARKS}]++(?:\s++|$)|$)"
)
_AT: Final = "[@\uff20]"
_BEFORE_AN_ID: Final = r"""(?<![^\s(\[{<"',;:*_~|])"""
_AFTER_AN_ID: Final = r"(?![\w/-]|[.:]\w)"
_LONGEST_TAIL: Final = 300  # no id has more than 255 bytes


@dataclass(frozen=True, slots=True)
class Addressed:
    """Who is meant, first named first, and the message without the names at its beginning.

    `core` is `words` without the name of a mentioned user at its end; where that leaves nothing,
    it is what stood before the first name, "hey" for example.
    """

    users: tuple[UserID, ...]
    words: str
    core: str


class Addressing:
    """Finds our users in a message.

    A name typed without a mention counts only at the beginning of the message, since clients
    write `m.mentions: {}` for typed names, and localparts occur in links and ordinary words. Only
    a greeting may stand before it.
    """

    def __init__(self, users: VirtualUsers, before_a_name: Sequence[str] = ()) -> None:
        """`before_a_name` are the greetings, the longest first."""
        self._users = users
        self.before_a_name = before_a_name
        ids = [(name, user) for user in users.all for name in ids_of(users, user)]
        names = [(name, user) for user in users.all for name in names_of(users, user)]
        self._ends = {user: spellings_of(names, user) for user in users.all}
        opener = rf"(?:(?P<opener>{any_of(before_a_name)})[\s,!{_COMMA}{INVISIBLE}]++)?"
        self._first = Spelled(
            names,
            lambda any_name: rf"{_SPACE}{opener}{_AT}?{any_name}{_AFTER_A_NAME}",
        )
        # Behind the first name a bare display name may be an ordinary word of the question.
        self._next_id = Spelled(ids, lambda any_id: rf"{any_id}{_AFTER_A_NAME}")
        self._next_name = Spelled(names, lambda any_name: rf"{_AT}{any_name}{_AFTER_A_NAME}")
        self._further = Spelled(
            names,
            lambda any_name: (
                rf"(?:(?<=\n)[ \t{INVISIBLE}]*+(?P<line>){_AT}?|(?<=\s)(?P<at>{_AT})?)"
                rf"{any_name}{_AFTER_A_NAME}"
            ),
        )
        self._anywhere = Spelled(
            [(user, user) for user in users.all],
            lambda any_id: f"{_BEFORE_AN_ID}{any_id}{_AFTER_AN_ID}",
        )

    def of(self, inbound: Inbound) -> Addressed:
        """Read a message; `users` is empty when it names none of us."""
        named, opener, end = self._names_at_start(inbound.body)
        spoken = _QUOTED_LINE.sub("", _CODE.sub("", inbound.body)) if "@" in inbound.body else ""
        written = self._anywhere.all_in(spoken)
        mentioned = [user for user in self._users.all if user in inbound.mentions]
        words = inbound.body[end:].strip(BLANKS)
        core = self._without_name_at_end(words, dict.fromkeys([*written, *mentioned]))
        users = tuple(dict.fromkeys([*named, *written, *mentioned]))
        return Addressed(users, words, core or opener)

    def parts(self, inbound: Inbound) -> Sequence[tuple[UserID, str]]:
        """A message cut where it names one of us, as "@a list @b status" does.

        Each part is what is said to one user. Inside of a line a name needs an `@` or a mention.
        """
        first = self._first.at(inbound.body, 0)
        if first is None:
            return ()
        parts: list[tuple[UserID, str]] = []
        (user, found), body = first, inbound.body
        for following, match in self._further.each_in(body, found.end()):
            if match["line"] is None and not match["at"] and following not in inbound.mentions:
                continue
            parts.append((user, body[found.end() : match.start()].strip(BLANKS)))
            user, found = following, match
        return [*parts, (user, body[found.end() :].strip(BLANKS))]

    def _names_at_start(self, body: str) -> tuple[Sequence[UserID], str, int]:
        named: list[UserID] = []
        opener, end = "", 0
        found = self._first.at(body, 0)
        while found is not None:
            user, match = found
            opener = opener or match.groupdict().get("opener") or ""
            end = match.end()
            named.append(user)
            found = self._next_id.at(body, end) or self._next_name.at(body, end)
        return named, opener, end

    def _without_name_at_end(self, words: str, users: Iterable[UserID]) -> str:
        """Only for who is surely named: "is this about lycatra" needs its last word."""
        tail = words[-_LONGEST_TAIL:].rstrip(_MARKS + " ")
        for user in users:
            for spelling in self._ends[user]:
                found = spelling.search(tail)
                if found is not None:
                    cut = len(words[-_LONGEST_TAIL:]) - found.start()
                    return words[:-cut].strip(BLANKS)
        return words
