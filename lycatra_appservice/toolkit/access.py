"""Who may do what: the levels that the configuration grants, and one decision per call."""

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from typing import Final, Protocol

from lycatra_appservice.errors import SettingsError
from lycatra_appservice.model import Caller, Level, UserID
from lycatra_appservice.toolkit.registry import AnyTool
from lycatra_appservice.words.text import Said, Text

_NAMED_PEOPLE = 3  # enough to know whom to ask; a whole list would only be noise

_ROLES: Final = {
    Level.NONE: Text("role_none"),
    Level.VIEWER: Text("role_viewer"),
    Level.OPERATOR: Text("role_operator"),
    Level.ADMIN: Text("role_admin"),
}


class AccessLists(Protocol):
    """The `access` section of the configuration: lists of `@user:server`, `*:server` or `*`."""

    @property
    def admin(self) -> Sequence[str]:
        """Who may do everything."""

    @property
    def operator(self) -> Sequence[str]:
        """Who may change things and look into logs."""

    @property
    def viewer(self) -> Sequence[str]:
        """Who may ask and look."""

    @property
    def none(self) -> Sequence[str]:
        """Who may do nothing, whatever the other lists say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Whether a call may go on. `why` and `who_could` are sentences for the person refused."""

    allowed: bool
    hidden: bool = False  # nobody may even learn that the tool exists
    why: Said = ""
    who_could: Said = ""


class Access:
    """Levels by person. Deny wins; then the most specific entry; nobody listed means nobody.

    Servers are compared letter by letter: one that only looks the same is another server.
    """

    def __init__(self, lists: AccessLists, *, hidden_tools: Set[str] = frozenset()) -> None:
        """`hidden_tools` look unknown to everybody. Raises SettingsError for malformed entries."""
        granted = {
            Level.ADMIN: tuple(lists.admin),
            Level.OPERATOR: tuple(lists.operator),
            Level.VIEWER: tuple(lists.viewer),
        }
        self._denied = frozenset(lists.none)
        problems = [
            f"access.{level.name.lower()}: {entry!r} is none of `@user:server`, `*:server`, `*`"
            for level, entries in {**granted, Level.NONE: tuple(lists.none)}.items()
            for entry in entries
            if not _is_entry(entry)
        ]
        if problems:
            raise SettingsError(problems)
        self._granted: dict[str, Level] = {}
        for level, entries in granted.items():
            for entry in entries:
                self._granted[entry] = max(level, self._granted.get(entry, level))
        self._hidden = frozenset(hidden_tools)

    def level(self, user_id: UserID) -> Level:
        """What this person may do at most; NONE for anything that is no full user id."""
        decisive = self.entry_for(user_id)
        return decisive[0] if decisive else Level.NONE

    def entry_for(self, user_id: UserID) -> tuple[Level, str] | None:
        """The entry that decides about this person, and the level of its list."""
        entries = list(_entries_for(user_id))
        denied = next((entry for entry in entries if entry in self._denied), None)
        if denied is not None:
            return Level.NONE, denied
        granted = next((entry for entry in entries if entry in self._granted), None)
        return (self._granted[granted], granted) if granted else None

    def may(self, caller: Caller, tool: AnyTool) -> Decision:
        """Decide one call; the same for every face."""
        if tool.name in self._hidden:
            return Decision(allowed=False, hidden=True)
        has = self.level(caller.user_id)
        if has >= tool.level:
            return Decision(allowed=True)
        return Decision(
            allowed=False,
            why=Text("needs_rights", tool=tool.name, needs=_ROLES[tool.level], has=_ROLES[has]),
            who_could=self.who_could(tool.level),
        )

    def who_could(self, needed: Level) -> Text:
        """Who has this level, as a sentence for somebody who has not."""
        people = [
            entry
            for entry in sorted(self._granted)
            if entry.startswith("@") and self.level(UserID(entry)) >= needed
        ]
        if people:
            return Text("these_could", people=", ".join(people[:_NAMED_PEOPLE]))
        if self._granted.get("*", Level.NONE) >= needed:
            return Text("most_could")
        servers = sorted(
            entry.removeprefix("*:")
            for entry, level in self._granted.items()
            if entry.startswith("*:") and level >= needed and entry not in self._denied
        )
        if servers:
            return Text("servers_could", servers=", ".join(servers[:_NAMED_PEOPLE]))
        return Text("nobody_could", needs=_ROLES[needed], level=needed.name.lower())


def _is_entry(entry: str) -> bool:
    if entry == "*":
        return True
    localpart, _, server = entry.partition(":")
    return bool(server) and "*" not in server and (localpart == "*" or _is_localpart(localpart))


def _is_localpart(text: str) -> bool:
    return len(text) > 1 and text.startswith("@") and "*" not in text


def _entries_for(user_id: UserID) -> Iterator[str]:
    """The entries that speak about this person, the most specific first."""
    localpart, _, server = user_id.partition(":")
    if _is_localpart(localpart) and server:
        yield user_id
        yield f"*:{server}"
        yield "*"
