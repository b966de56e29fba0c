"""What is wrong with rules of approvals before anything is asked: names, and who could vote."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from lycatra_appservice.freeze_times import is_endless
from lycatra_appservice.model import Face, Level, UserID
from lycatra_appservice.toolkit.access import Access
from lycatra_appservice.toolkit.actor_list import ActorList
from lycatra_appservice.toolkit.approvals import ApprovalSettings, ConfiguredRules, Rule
from lycatra_appservice.toolkit.permissions import Requirement
from lycatra_appservice.toolkit.registry import AnyTool


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleMistake:
    """A sentence about the value at `path`; `unknown` is a name that none of `known` is.

    Without `is_written` it is a tool's author who is wrong, and nothing in the configuration.
    """

    path: tuple[str, ...]
    sentence: str
    unknown: str | None = None
    known: Sequence[str] = ()
    is_written: bool = True


def unknown_tools(
    settings: ApprovalSettings,
    changing: Sequence[AnyTool],
    may_have: Callable[[str], bool] = lambda _: False,
) -> Iterator[RuleMistake]:
    """Sections for what is no tool that changes something.

    `may_have` tells of other tools that may be there, and do not work now.
    """
    known = sorted(tool.name for tool in changing)
    for name in sorted(settings.tools.keys() - {*known}):
        if not may_have(name):
            yield RuleMistake(
                path=("approvals", "tools", name),
                sentence="is no tool that changes something",
                unknown=name,
                known=known,
            )


def hopeless_rules(
    settings: ApprovalSettings, changing: Sequence[AnyTool], access: Access
) -> Iterator[RuleMistake]:
    """Rules that nobody can ever meet, as far as people are named: groups may have any size."""
    rules = ConfiguredRules(settings)
    for tool in changing:
        own = settings.tools.get(tool.name)
        for sentence in _hopes(rules(tool), tool, access):
            yield RuleMistake(
                path=("approvals", "tools", tool.name) if own else ("approvals",),
                sentence=f"{tool.name} {sentence}",
                is_written=bool(own or settings.model_fields_set - {"tools"}),
            )


def needs_of(rule: Rule) -> Requirement:
    """What somebody has to be whose vote counts."""
    return Requirement(level=rule.level, who=ActorList(rule.people) if rule.people else None)


def _hopes(rule: Rule, tool: AnyTool, access: Access) -> Iterator[str]:
    """What stands against every hope."""
    if is_endless(rule.freeze):
        yield "could never be approved: its freeze times leave no moment of the week"
    voters = access.people(needs_of(rule))
    if voters is None or _is_told_anyway(rule, voters):
        return
    if len(voters) < rule.quorum:
        yield f"needs {_people(rule.quorum)}, but {_only(len(voters))} may approve it"
    elif rule.not_requester and _is_always_short(rule, tool, access, voters):
        yield (
            f"needs {_people(rule.quorum)} beside who asks, but of those who may approve it "
            "never so many are left"
        )


def _is_told_anyway(rule: Rule, voters: frozenset[UserID]) -> bool:
    """An installation without operators is allowed, and has a warning of its own."""
    return not (voters or rule.people) and (rule.level, rule.quorum) == (Level.OPERATOR, 1)


def _is_always_short(rule: Rule, tool: AnyTool, access: Access, voters: frozenset[UserID]) -> bool:
    askers: set[UserID] = set()
    for face in Face:
        may_ask = access.people(access.requirement(tool, face))
        if may_ask is None:
            return False
        askers |= may_ask
    return all(len(voters - {asker}) < rule.quorum for asker in askers)


def _people(number: int) -> str:
    return "1 person" if number == 1 else f"{number} people"


def _only(number: int) -> str:
    return f"only {number}" if number else "nobody"
