"""The rule by which people let a changing call through, and what such a call is bound to."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any, Final, Protocol, TypeAlias

from pydantic import BaseModel

from lycatra_appservice.errors import ToolError
from lycatra_appservice.freeze_times import FreezeTime, frozen_until, read_freeze_time
from lycatra_appservice.model import JSON, Level, RoomID, UserID
from lycatra_appservice.toolkit.redaction import canonical_arguments
from lycatra_appservice.words.text import Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Who may approve a call, and when. Without any of it: one operator, within 15 minutes.

    `people` (entries as `access` has them) stand in the place of the level. Whoever asked may
    approve, too, unless `not_requester`. During `freeze` nothing is asked or approved. The card
    is shown in `room`, else where the call was asked for.
    """

    level: Level = Level.OPERATOR
    people: tuple[str, ...] = ()
    not_requester: bool = False
    quorum: int = 1
    lifetime: timedelta = timedelta(minutes=15)  # to be seen, short enough to be remembered
    freeze: tuple[FreezeTime, ...] = ()
    room: RoomID | None = None

    def frozen_until(self, now: datetime) -> datetime | None:
        """When changes are possible again; `now` is in the configured time zone."""
        return frozen_until(self.freeze, now)


DEFAULT_RULE: Final = Rule()


def rule_to_json(rule: Rule) -> dict[str, JSON]:
    """As it is kept with an approval: that is judged by the rule under which it was asked."""
    return {
        "level": rule.level.name,
        "people": list(rule.people),
        "not_requester": rule.not_requester,
        "quorum": rule.quorum,
        "lifetime_s": rule.lifetime.total_seconds(),
        "freeze": [span.written for span in rule.freeze],
        "room": rule.room,
    }


def rule_from_json(kept: Mapping[str, JSON]) -> Rule:
    """The rule that `rule_to_json` made this of."""
    return Rule(
        level=Level[kept["level"]],
        people=tuple(kept["people"]),
        not_requester=kept["not_requester"],
        quorum=kept["quorum"],
        lifetime=timedelta(seconds=kept["lifetime_s"]),
        freeze=tuple(read_freeze_time(span) for span in kept["freeze"]),
        room=RoomID(kept["room"]) if kept["room"] else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What exactly a call will do. The same arguments and settings must give the same plan.

    `target` names what is changed: of two requests of a tool for the same target the newer one
    counts; where it is None, of two for the very same call. `steps` are lines of Markdown for who
    decides. `look` is a command, without its prefix, that shows the target's state afterwards.

    An approval ends when the target or the steps become others. So what comes and goes by itself
    (running, healthy, how many there are) stands in `now`, which is shown and binds nobody.
    """

    target: str | None
    steps: Sequence[str]
    now: Sequence[str] = ()
    look: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved:
    """That people have let one call through, used up for it. Made of nothing but its approval."""

    number: int
    args_hash: str
    code: str
    by: Sequence[UserID]
    resuming: bool = False  # an earlier run had begun the call, and did not end it


class NeedsApprovalError(ToolError):
    """A call that is right in itself, and waits for people. Carries what they are to be shown."""

    def __init__(
        self,
        *,
        tool: str,
        title: str,
        arguments: Mapping[str, JSON],
        shown: Mapping[str, JSON],
        plan: Plan,
        args_hash: str,
        rule: Rule,
    ) -> None:
        """`arguments` are as they came, and right; `shown` are they for everybody's eyes."""
        super().__init__(Text("needs_approval", tool=tool))
        self.tool = tool
        self.title = title
        self.arguments = arguments
        self.shown = shown
        self.plan = plan
        self.args_hash = args_hash
        self.rule = rule


def bound_to(tool: str, args: BaseModel, plan: Plan) -> str:
    """Fingerprint of a call and of what it would do: what is approved, and nothing else."""
    call = [canonical_arguments(tool, args), plan.target, list(plan.steps)]
    return hashlib.sha256(json.dumps(call).encode()).hexdigest()


class RuleSettings(Protocol):
    """A section of the configuration: of its values only those count that were written."""

    @property
    def model_fields_set(self) -> set[str]:
        """Which were written."""


class ApprovalSettings(RuleSettings, Protocol):
    """The `approvals` section."""

    @property
    def tools(self) -> Mapping[str, RuleSettings]:
        """What is otherwise for single tools."""


class ChangingTool(Protocol):
    """What a rule is looked up for."""

    @property
    def name(self) -> str:
        """The tool's name."""

    @property
    def approval(self) -> Rule | None:
        """What its author thinks right."""


RuleFor: TypeAlias = Callable[[ChangingTool], Rule]


def declared_rule(tool: ChangingTool) -> Rule:
    """The tool's own rule, where nothing is configured."""
    return tool.approval or DEFAULT_RULE


class ConfiguredRules:
    """What the configuration says wins over the tool's author, value by value."""

    def __init__(self, settings: ApprovalSettings) -> None:
        self._settings = settings

    def __call__(self, tool: ChangingTool) -> Rule:
        """The rule of a tool."""
        rule = _with(declared_rule(tool), self._settings)
        own = self._settings.tools.get(tool.name)
        return _with(rule, own) if own is not None else rule


def _with(rule: Rule, settings: RuleSettings) -> Rule:
    written: dict[str, Any] = {
        field.name: getattr(settings, field.name)
        for field in fields(Rule)
        if field.name in settings.model_fields_set
    }
    if "level" in written:
        written["level"] = Level[written["level"].upper()]
        written.setdefault("people", ())
    return replace(rule, **written)
