"""What each tool asks of a caller on each face: its own level, or a rule of the configuration."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from lycatra_appservice.errors import SettingsError
from lycatra_appservice.model import Face, Level
from lycatra_appservice.permission_rules import (
    ALL_TOOLS,
    PermissionRule,
    is_for_all_faces,
    problems_in,
)
from lycatra_appservice.toolkit.actor_list import ActorList
from lycatra_appservice.toolkit.registry import AnyTool, Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """What a tool asks of a caller: a level, or being on a list.

    `rule` is the place in the list, from 0, of the rule that says so; None where the tool's own
    level counts. `is_secret`: who may not use it does not learn that it is there. `is_off`:
    nobody may.
    """

    level: Level
    who: ActorList | None = None
    is_secret: bool = False
    is_off: bool = False
    rule: int | None = None


class Permissions:
    """The rules, applied to the tools there are: the most specific rule wins.

    A rule that names the tool goes before one that names its namespace, and that before `*`; of
    two for the same name, one for some faces goes before one for all.
    """

    def __init__(self, rules: Sequence[PermissionRule], registry: Registry) -> None:
        """Raises SettingsError for rules that contradict each other, and for malformed actors.

        A name that no tool has does nothing: it is of a disabled one. Of others the reader of the
        configuration knows better.
        """
        problems = problems_in(rules, _names_of(registry))
        if found := [f"{each.key}: {each.sentence}" for each in problems if not each.unknown]:
            raise SettingsError(found)
        self._rules = tuple(rules)
        self._lists = [_list_of(number, rule) for number, rule in enumerate(rules)]
        self._registry = registry
        self._winners: Mapping[tuple[str, Face], int] = {}
        self._secrets: Mapping[Face, Sequence[AnyTool]] = {}
        self._apply()
        registry.follow(self._apply)

    def _apply(self) -> None:
        """Find the rule of each tool there is now."""
        registry = self._registry
        winners: dict[tuple[str, Face], int] = {}
        for tool, face in product(registry.tools, Face):
            winner = self._winner(tool.name, registry.namespace_of(tool.name).name, face)
            if winner is not None:
                winners[tool.name, face] = winner
        self._winners = winners
        self._secrets = {
            face: [tool for tool in registry.tools if self.of(tool, face).is_secret]
            for face in Face
        }

    def secrets(self, face: Face) -> Sequence[AnyTool]:
        """The tools that a rule hides by this face, be it from some or from everybody."""
        return self._secrets[face]

    @property
    def lists(self) -> Sequence[ActorList]:
        """Every list of people that a rule has."""
        return [each for each in self._lists if each is not None]

    def of(self, tool: AnyTool, face: Face) -> Requirement:
        """What this tool asks of whoever comes by this face."""
        number = self._winners.get((tool.name, face))
        if number is None:
            return Requirement(level=tool.level)
        rule = self._rules[number]
        return Requirement(
            level=Level[rule.level.upper()] if rule.level else tool.level,
            who=self._lists[number],
            is_secret=rule.hidden,
            is_off=rule.hidden and rule.level is None and rule.who is None,
            rule=number,
        )

    def _winner(self, tool: str, namespace: str, face: Face) -> int | None:
        for name, for_all in product((tool, namespace, ALL_TOOLS), (False, True)):
            for number, rule in enumerate(self._rules):
                fits = name in rule.tools and face.value in rule.faces
                if fits and is_for_all_faces(rule) is for_all:
                    return number
        return None


def _names_of(registry: Registry) -> Mapping[str, Sequence[str]]:
    return {
        each.name: [tool.name for tool in registry.tools_of(each.name)]
        for each in registry.namespaces
    }


def _list_of(number: int, rule: PermissionRule) -> ActorList | None:
    if rule.who is None:
        return None
    try:
        return ActorList(rule.who)
    except ValueError as wrong:
        raise SettingsError([f"permissions.{number}.who: {wrong}"]) from wrong
