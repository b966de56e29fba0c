"""Who may do what: the levels that the configuration grants, and one decision per call. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from lycatra_appservice.actors import Actor, ActorKind, read_actor
from lycatra_appservice.errors import SettingsError
from lycatra_appservice.matrix.standing import NOWHERE, Standing
from lycatra_appservice.model import Caller, Face, Level, RoomID, UserID
from lycatra_appservice.toolkit.actor_list import ActorList
from lycatra_appservice.toolkit.permissions import Permissions, Requirement
from lycatra_appservice.toolkit.registry import AnyTool
from lycatra_appservice.toolkit.who_could import who_could
from lycatra_appservice.words.text import Said, Text

_ROLES: Final = {
    Level.NONE: Text("role_none"),
    Level.VIEWER: Text("role_viewer"),
    Level.OPERATOR: Text("role_operator"),
    Level.ADMIN: Text("role_admin"),
}


class AccessLists(Protocol):
    """The `access` section of the configuration; actors.py says what may stand in a list."""

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


@dataclass(frozen=True, slots=True)
class Grant:
    """A level, and the entry that gives it; with NONE the entry that takes everything away."""

    level: Level
    by: Actor


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Whether a call may go on. `why` and `who_could` are sentences for the person refused."""

    allowed: bool
    needs: Requirement
    hidden: bool = False  # the person may not even learn that the tool exists
    why: Said = ""
    who_could: Said = ""


class Access:
    """Levels by person and place. Deny wins; then the most specific entry; else nobody.

    What somebody's standing in a room gives, holds for what is asked in that room alone.
    """

    def __init__(self, lists: AccessLists, permissions: Permissions | None = None) -> None:
        """Without `permissions` each tool asks for its own level.

        Raises SettingsError for malformed entries.
        """
        self._permissions = permissions
        granted: Mapping[Level, Sequence[str]] = {
            Level.ADMIN: lists.admin,
            Level.OPERATOR: lists.operator,
            Level.VIEWER: lists.viewer,
        }
        if problems := list(_problems_in({**granted, Level.NONE: lists.none})):
            raise SettingsError(problems)
        self._denied = ActorList(lists.none, denies=True)
        self._levels: dict[str, Level] = {}
        for level, entries in granted.items():
            for entry in entries:
                self._levels[entry] = max(level, self._levels.get(entry, level))
        self._granted = ActorList([*self._levels])

    def minds(self, room_id: RoomID) -> bool:
        """Whether how somebody stands in this room can matter."""
        of_rules = self._permissions.lists if self._permissions else ()
        return any(each.minds(room_id) for each in (self._granted, self._denied, *of_rules))

    def level(self, user_id: UserID, standing: Standing) -> Level:
        """What this person may do here at most; NONE for anything that is no full user id."""
        decisive = self.grant(user_id, standing)
        return decisive.level if decisive else Level.NONE

    def grant(self, user_id: UserID, standing: Standing) -> Grant | None:
        """The entry that decides about this person here, and its level."""
        denying = self._denied.first_naming(user_id, standing)
        if denying is not None:
            return Grant(Level.NONE, denying)
        granting = self._granted.first_naming(user_id, standing)
        return Grant(self._levels[granting.written], granting) if granting else None

    def may(self, caller: Caller, tool: AnyTool, standing: Standing) -> Decision:
        """Decide one call, by the same rule for every face."""
        needs = self.requirement(tool, caller.face)
        if caller.is_guest:
            return _of_guest(tool, needs)
        if caller.reads_only and tool.changes:
            return Decision(
                allowed=False, needs=needs, hidden=needs.is_secret, why=_only_reads(tool)
            )
        grant = self.grant(caller.user_id, standing)
        if self._meets(needs, caller.user_id, grant, standing):
            return Decision(allowed=True, needs=needs)
        if needs.is_secret:
            return Decision(allowed=False, needs=needs, hidden=True)
        return Decision(
            allowed=False,
            needs=needs,
            why=_why(tool, needs, grant),
            who_could=self.who_could(needs, standing.room_id),
        )

    def secrets(self, face: Face) -> Sequence[AnyTool]:
        """The tools that may be unknown to somebody by this face."""
        return self._permissions.secrets(face) if self._permissions else ()

    def off(self, face: Face) -> frozenset[str]:
        """The names of the tools that are unknown to everybody by this face."""
        return frozenset(
            tool.name
            for tool in self.secrets(face)
            if self._permissions and self._permissions.of(tool, face).is_off
        )

    def requirement(self, tool: AnyTool, face: Face) -> Requirement:
        """What a tool asks of whoever comes by this face."""
        if self._permissions is None:
            return Requirement(level=tool.level)
        return self._permissions.of(tool, face)

    @staticmethod
    def _meets(
        needs: Requirement, user_id: UserID, grant: Grant | None, standing: Standing
    ) -> bool:
        has = grant.level if grant else Level.NONE
        if needs.is_off or (grant is not None and has is Level.NONE):
            return False
        if needs.who is not None:
            return needs.who.first_naming(user_id, standing) is not None
        return has >= needs.level

    def meets(self, needs: Requirement, user_id: UserID, standing: Standing) -> bool:
        """Whether somebody is who is asked for; deny wins."""
        return self._meets(needs, user_id, self.grant(user_id, standing), standing)

    def people(self, needs: Requirement) -> frozenset[UserID] | None:
        """All who are asked for, in every room; None where groups are, whom nobody can count."""
        if needs.is_off:
            return frozenset()
        left = [actor for actor in self._actors(needs) if not self._is_denied(actor)]
        if any(actor.kind is not ActorKind.PERSON for actor in left):
            return None
        return frozenset(UserID(actor.name) for actor in left)

    def _actors(self, needs: Requirement) -> Sequence[Actor]:
        if needs.who is not None:
            return needs.who.actors
        return [a for a in self._granted.actors if self._levels[a.written] >= needs.level]

    def who_could(self, needs: Requirement, room_id: RoomID | None) -> Text:
        """Who is asked for, as a sentence for somebody who is not, in this room."""
        found = who_could(self._actors(needs), room_id, self._is_denied)
        if found is not None:
            return found
        if needs.rule is not None:
            return Text("nobody_could_by_rule", rule=needs.rule)
        level = needs.level
        return Text("nobody_could", needs=_ROLES[level], level=level.name.lower())

    def _is_denied(self, actor: Actor) -> bool:
        match actor.kind:
            case ActorKind.PERSON:
                return self._denied.first_naming(UserID(actor.name), NOWHERE) is not None
            case ActorKind.SERVER:
                anybody = UserID(f"@anybody:{actor.name}")
                return self._denied.first_naming(anybody, NOWHERE) is not None
            case _:
                return False


def _why(tool: AnyTool, needs: Requirement, grant: Grant | None) -> Text:
    has = grant.level if grant else Level.NONE
    is_denied = grant is not None and has is Level.NONE
    if needs.who is not None and not is_denied:
        return Text("needs_listed", tool=tool.name)
    return Text("needs_rights", tool=tool.name, needs=_ROLES[needs.level], has=_ROLES[has])


def _of_guest(tool: AnyTool, needs: Requirement) -> Decision:
    """Nobody's account: what every viewer may, and nothing that a list of people is for."""
    allowed = (
        not needs.is_off and needs.who is None and needs.level <= Level.VIEWER and not tool.changes
    )
    return Decision(
        allowed=allowed, needs=needs, hidden=not allowed and needs.is_secret, why=_only_reads(tool)
    )


def _only_reads(tool: AnyTool) -> Text:
    return Text("token_only_reads", tool=tool.name)


def _problems_in(entries: Mapping[Level, Sequence[str]]) -> Iterator[str]:
    for level, actors in entries.items():
        for entry in actors:
            try:
                read_actor(entry)
            except ValueError as wrong:
                yield f"access.{level.name.lower()}: {entry!r} {wrong}"
