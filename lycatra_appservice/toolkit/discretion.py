"""What a tool says, without the secrets of the configuration, which it may have been told back."""

from collections.abc import Mapping
from dataclasses import replace

from lycatra_appservice.errors import InvalidArgumentsError, ToolError
from lycatra_appservice.model import JSON, File
from lycatra_appservice.toolkit.approvals import NeedsApprovalError, Plan
from lycatra_appservice.toolkit.base import ToolResult
from lycatra_appservice.toolkit.redaction import Mask
from lycatra_appservice.words.text import Said, Text, Value


def discreet_result(result: ToolResult, mask: Mask) -> ToolResult:
    """The result for people and models; its files, too."""
    return replace(
        result,
        data=discreet_value(result.data, mask),
        markdown=mask(result.markdown),
        note=None if result.note is None else _said(result.note, mask),
        files=[_file(file, mask) for file in result.files],
    )


def discreet(said: Said, mask: Mask) -> Said:
    """What a tool says on the way, or wants said later."""
    return _said(said, mask)


def make_discreet(error: ToolError, mask: Mask) -> None:
    """Take the secrets out of what people, models and cards are told of a refusal or a wish."""
    error.said = _said(error.said, mask)
    if isinstance(error, InvalidArgumentsError):
        error.problems = tuple(mask(each) for each in error.problems)
    if isinstance(error, NeedsApprovalError):
        error.plan = _plan(error.plan, mask)
        error.shown = {name: discreet_value(value, mask) for name, value in error.shown.items()}


def discreet_value(value: JSON, mask: Mask) -> JSON:
    """A value with all its names and texts, however deep."""
    match value:
        case str():
            return mask(value)
        case Mapping():
            return {
                discreet_value(name, mask): discreet_value(below, mask)
                for name, below in value.items()
            }
        case list() | tuple():
            return [discreet_value(below, mask) for below in value]
        case _:
            return value


def _plan(plan: Plan, mask: Mask) -> Plan:
    return Plan(
        target=None if plan.target is None else mask(plan.target),
        steps=[mask(step) for step in plan.steps],
        now=[mask(line) for line in plan.now],
        look=None if plan.look is None else mask(plan.look),
    )


def _said(said: Value, mask: Mask) -> Said:
    if isinstance(said, Text):
        return said.filled_by(lambda value: _value(value, mask))
    return mask(str(said))


def _value(value: Value, mask: Mask) -> Value:
    if isinstance(value, int):
        return value
    if isinstance(value, str | Text):
        return _said(value, mask)
    return [_said(each, mask) for each in value]


def _file(file: File, mask: Mask) -> File:
    # Every byte is a letter here, and comes out as it went in.
    data = mask(file.data.decode("latin-1")).encode("latin-1")
    return replace(file, name=mask(file.name), description=mask(file.description), data=data)
