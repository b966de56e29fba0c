"""What `!whoami` says: who somebody is to us here, and whence each right comes."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from lycatra_appservice.chat import messages
from lycatra_appservice.chat.settings_page import may_choose
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.matrix.standing import Standing
from lycatra_appservice.model import Caller, Face, Level, UserID
from lycatra_appservice.toolkit.access import Decision, Grant
from lycatra_appservice.toolkit.permissions import Requirement
from lycatra_appservice.toolkit.registry import AnyTool, Registry
from lycatra_appservice.toolkit.rights import Rights
from lycatra_appservice.words.text import Text

_ALL_FACES: Final = frozenset(Face)


@dataclass(slots=True)
class _Group:
    """Tools that are decided about for one reason, with the faces where that is so."""

    needs: Requirement
    faces: defaultdict[str, set[Face]] = field(default_factory=lambda: defaultdict(set))


class WhoAmI:
    """Reads nothing but the standing that the rights rest on."""

    def __init__(self, rights: Rights, registry: Registry) -> None:
        self._rights = rights
        self._registry = registry

    async def tell(self, asker: UserID, room: RoomView) -> Text:
        """The level, what it is for, and what is decided otherwise than by the level alone."""
        standing = await self._rights.standing(asker, room.room_id)
        grant = self._rights.access.grant(asker, standing)
        level = grant.level if grant else Level.NONE
        above_all = room.power.creators_above_all and asker in room.power.creators
        return messages.whoami(
            asker,
            level,
            messages.whoami_whence(_entry(grant)),
            messages.whoami_power(
                None if above_all else room.power.of(asker),
                may_set=may_choose(asker, level, room),
            ),
            [] if _is_denied(grant) else self._exceptions(asker, room, standing),
        )

    def _exceptions(self, asker: UserID, room: RoomView, standing: Standing) -> Sequence[Text]:
        groups: dict[tuple[int, bool, Level], _Group] = {}
        for tool, face, decision in self._decisions(asker, room, standing):
            needs = decision.needs
            if decision.hidden or (needs.rule is None and decision.allowed):
                continue  # nobody may learn of it, or the level tells it
            key = (-1 if needs.rule is None else needs.rule, decision.allowed, needs.level)
            groups.setdefault(key, _Group(needs)).faces[tool.name].add(face)
        return [
            self._line(group, asker, standing, allowed=allowed)
            for (_, allowed, _), group in sorted(groups.items(), key=lambda item: item[0])
        ]

    def _decisions(
        self, asker: UserID, room: RoomView, standing: Standing
    ) -> Iterator[tuple[AnyTool, Face, Decision]]:
        for tool in self._registry.tools:
            for face in Face:
                caller = Caller(user_id=asker, face=face, room_id=room.room_id)
                yield tool, face, self._rights.access.may(caller, tool, standing)

    @staticmethod
    def _line(group: _Group, asker: UserID, standing: Standing, *, allowed: bool) -> Text:
        needs, tools = group.needs, _named(group.faces)
        if needs.rule is None:
            return messages.whoami_out_of_reach(tools, needs.level)
        if needs.who is None:
            return messages.whoami_rule(tools, needs.rule, needs.level, allowed=allowed)
        entry = needs.who.first_naming(asker, standing)
        return messages.whoami_listed(tools, needs.rule, entry.written if entry else None)


def _named(tools: Mapping[str, set[Face]]) -> Sequence[str]:
    """The tools; with the faces, where it is not so on all of them."""
    return [
        f"`{tool}`" if faces == _ALL_FACES else f"`{tool}` ({', '.join(sorted(faces))})"
        for tool, faces in tools.items()
    ]


def _entry(grant: Grant | None) -> tuple[str, str] | None:
    return (grant.level.name.lower(), grant.by.written) if grant else None


def _is_denied(grant: Grant | None) -> bool:
    return grant is not None and grant.level is Level.NONE
