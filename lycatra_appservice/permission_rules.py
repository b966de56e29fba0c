"""The rules of the `permissions` section, and which of their names make no sense. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from lycatra_appservice.model import Face

ALL_TOOLS: Final = "*"


class PermissionRule(Protocol):
    """An entry of the `permissions` section."""

    @property
    def tools(self) -> Sequence[str]:
        """Names of tools or namespaces, or `*`."""

    @property
    def faces(self) -> Sequence[str]:
        """Where it holds."""

    @property
    def level(self) -> str | None:
        """Who has this level may."""

    @property
    def who(self) -> Sequence[str] | None:
        """Exactly these may, whatever their level."""

    @property
    def hidden(self) -> bool:
        """Whether the tool looks unknown to who may not use it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleProblem:
    """A mistake in the names of a rule: its number from 0, and what is wrong."""

    rule: int
    sentence: str
    unknown: str | None = None  # a name, for a hint at a likely one

    @property
    def key(self) -> str:
        """Where it stands in the configuration."""
        return f"permissions.{self.rule}.tools"


def problems_in(
    rules: Sequence[PermissionRule], tools: Mapping[str, Sequence[str]]
) -> Iterator[RuleProblem]:
    """Every name that is neither a tool nor a namespace, and rules that contradict each other.

    `tools` maps the name of each namespace to its tools' names.
    """
    known = {*tools, *(name for names in tools.values() for name in names), ALL_TOOLS}
    taken: dict[tuple[str, str, bool], int] = {}
    for number, rule in enumerate(rules):
        for name in dict.fromkeys(rule.tools):
            if name not in known:
                sentence = f"{name!r} is neither a tool nor a namespace"
                yield RuleProblem(rule=number, sentence=sentence, unknown=name)
            keys = [(name, face, is_for_all_faces(rule)) for face in rule.faces]
            others = {taken.setdefault(key, number) for key in keys} - {number}
            for other in sorted(others):
                sentence = f"permissions.{other} has a rule for {name!r} on the same faces already"
                yield RuleProblem(rule=number, sentence=sentence)


def is_for_all_faces(rule: PermissionRule) -> bool:
    """Whether a rule leaves no face out."""
    return set(rule.faces) >= {face.value for face in Face}
