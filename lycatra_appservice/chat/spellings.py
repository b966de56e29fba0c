"""The ways in which our users' names are written, as regular expressions. Pure."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import UserID

_SPACES: Final = re.compile(r"\s+")
_NOTHING: Final = r"(?!)"  # matches nowhere


class Spelled:
    """Spellings of our users in one place of a text, each in a group of its own.

    The group tells the user; the text that matched would not always, since ignoring case makes
    more letters equal than any way to change their case.
    """

    def __init__(
        self, spellings: Iterable[tuple[str, UserID]], around: Callable[[str], str]
    ) -> None:
        # Longest first: "@lycatra_updates" must not be read as "@lycatra" and a rest.
        longest_first = sorted(spellings, key=lambda pair: -len(pair[0]))
        self._users = {f"u{n}": user for n, (_, user) in enumerate(longest_first)}
        groups = (f"(?P<u{n}>{spelled(name)})" for n, (name, _) in enumerate(longest_first))
        self._pattern = re.compile(around(f"(?:{'|'.join(groups)})"), re.IGNORECASE)

    def at(self, text: str, start: int) -> tuple[UserID, re.Match[str]] | None:
        """Who is named at this place, and the name with what is around it."""
        found = self._pattern.match(text, start)
        return (self._whose(found), found) if found else None

    def each_in(self, text: str, start: int) -> Iterator[tuple[UserID, re.Match[str]]]:
        """The same for everybody who is named from this place on, in order."""
        for found in self._pattern.finditer(text, start):
            yield self._whose(found), found

    def all_in(self, text: str) -> Sequence[UserID]:
        """Everybody named anywhere, in order."""
        return [user for user, _ in self.each_in(text, 0)]

    def _whose(self, found: re.Match[str]) -> UserID:
        return self._users[found.lastgroup or ""]


def ids_of(users: VirtualUsers, user: UserID) -> Sequence[str]:
    """With and without the server."""
    return user, user.removeprefix("@"), users.localpart_of(user)


def names_of(users: VirtualUsers, user: UserID) -> Sequence[str]:
    """Ids and display name, which some keyboards write in composed letters and others not."""
    shown = users.display_name(user).strip()
    forms = [shown, *(unicodedata.normalize(form, shown) for form in ("NFC", "NFD"))]
    plain = [form.replace("\ufe0f", "") for form in forms]
    return [name for name in dict.fromkeys([*ids_of(users, user), *forms, *plain]) if name]


def spelled(name: str) -> str:
    """A pattern for a name; its spaces may be any white space."""
    return r"\s+".join(re.escape(word) for word in _SPACES.split(name))


def any_of(phrases: Iterable[str]) -> str:
    """A pattern for one of them; of those with one beginning the first that fits is taken.

    Grouped by their first letters, since most texts begin with none of these.
    """
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for phrase in filter(None, phrases):
        groups[phrase[0]].append(phrase[1:])
    return (
        "|".join(
            f"{re.escape(first)}(?:{'|'.join(map(spelled, rest))})"
            for first, rest in groups.items()
        )
        or _NOTHING
    )


def spellings_of(names: Iterable[tuple[str, UserID]], user: UserID) -> Sequence[re.Pattern[str]]:
    """How a text can end with this user's name, behind something else or alone."""
    return [
        re.compile(rf"(?:^|(?<=[\s,]))@?{spelled(name)}$", re.IGNORECASE)
        for name, of in names
        if of == user
    ]
