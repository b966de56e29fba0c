"""Which tool the stand-in model calls for a question, and with what; pure, knows no tool."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from lycatra_appservice.demo.offline_words import (
    TOPICS,
    count_meant,
    days_meant,
    done_stems,
    question_stems,
    quoted_in,
    stems,
    thing_meant,
)
from lycatra_appservice.model import JSON

_NAME_SCORE = 3.0
_TOPIC_SCORE = 4.0
_DESCRIPTION_SCORE = 1.0
_ENOUGH = 2.5  # one word of a description is chance
_DAY_WORDS = frozenset(stems("days"))
_SINCE_WORDS = frozenset(stems("since after start begin"))
_COUNT_WORDS = frozenset(stems("limit count max maximum number"))
_NAME_WORDS = frozenset(
    stems("service services source name component target host container application package topic")
)
_TEXT_WORDS = frozenset(stems("query text question search word words pattern phrase tool email"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A decision to call a tool."""

    name: str
    arguments: Mapping[str, JSON]


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """A tool as the request describes it."""

    name: str
    description: str
    parameters: Mapping[str, JSON] = field(default_factory=dict)  # JSON Schema of an object

    @property
    def properties(self) -> Mapping[str, JSON]:
        """Schema of each argument."""
        found = self.parameters.get("properties")
        return found if isinstance(found, dict) else {}

    @property
    def required(self) -> Sequence[str]:
        """The arguments without which it cannot be called."""
        found = self.parameters.get("required")
        return found if isinstance(found, list) else ()


def read_tools(tools: JSON) -> list[Offered]:
    """The functions of a request's `tools`; what is not one is left out."""
    offered = []
    for tool in tools if isinstance(tools, list) else []:
        function = tool.get("function") if isinstance(tool, dict) else None
        if isinstance(function, dict) and isinstance(function.get("name"), str):
            offered.append(
                Offered(
                    name=function["name"],
                    description=str(function.get("description") or ""),
                    parameters=function.get("parameters") or {},
                )
            )
    return offered


def choose_call(question: str, tools: Sequence[Offered], today: date) -> ToolCall | None:
    """The call that answers the question best; None when no tool fits. The first wins a tie."""
    best: ToolCall | None = None
    best_score = _ENOUGH
    for tool in tools:
        found = score(question, tool, tools)
        if found > best_score or (best is None and found == best_score):
            arguments = fill_arguments(question, tool, today)
            if all(name in arguments for name in tool.required):
                best, best_score = ToolCall(name=tool.name, arguments=arguments), found
    return best


def score(question: str, tool: Offered, tools: Sequence[Offered]) -> float:
    """How well a tool fits a question, beside the others there are; 0 for not at all."""
    asked = set(question_stems(question))
    name = set(stems(tool.name))
    found = _NAME_SCORE * len(asked & name - done_stems(question))
    for said, called in TOPICS:
        if asked & said and name & called:
            found += _TOPIC_SCORE
    for word in asked & set(stems(tool.description)) - name:
        sharing = sum(word in stems(other.description) for other in tools)
        found += _DESCRIPTION_SCORE / sharing  # a word that all have tells nothing
    return found


def fill_arguments(question: str, tool: Offered, today: date) -> dict[str, JSON]:
    """The arguments that the question names; the rest is left to the tool's defaults."""
    arguments: dict[str, JSON] = {}
    for name, schema in tool.properties.items():
        if _is_time(name) and any(map(_is_time, arguments)):
            continue  # the same words, said once already
        value = _value(question, name, schema if isinstance(schema, dict) else {}, tool, today)
        if value is not None and value not in arguments.values():
            arguments[name] = value
    return arguments


def _is_time(name: str) -> bool:
    return bool(set(stems(name)) & (_DAY_WORDS | _SINCE_WORDS))


def _value(
    question: str, name: str, schema: Mapping[str, JSON], tool: Offered, today: date
) -> JSON:
    words = set(stems(name))
    types = _types(schema)
    if allowed := [value for branch in _branches(schema) for value in branch.get("enum", ())]:
        return next((value for value in allowed if _names(question, value)), None)
    if types & {"integer", "number"}:
        return _amount(question, words, schema)
    if "string" not in types:
        return None
    if words & _SINCE_WORDS:
        days = days_meant(question)
        return None if days is None else (today - timedelta(days=days)).isoformat()
    return _words(question, words, name, tool)


def _amount(question: str, words: set[str], schema: Mapping[str, JSON]) -> int | None:
    amount = None
    if words & _DAY_WORDS:
        amount = days_meant(question)
    elif words & _COUNT_WORDS:
        amount = count_meant(question)
    if amount is None:
        return None
    return int(min(max(amount, schema.get("minimum", 1)), schema.get("maximum", amount)))


def _words(question: str, words: set[str], name: str, tool: Offered) -> str | None:
    if words & _TEXT_WORDS and (text := quoted_in(question)):
        return text
    named_elsewhere = not words & _NAME_WORDS and any(map(_is_name, tool.properties))
    may_name = words & (_NAME_WORDS | _TEXT_WORDS) and not named_elsewhere
    if may_name and (thing := thing_meant(question, stems(tool.name))):
        return thing
    if name in tool.required and words & _TEXT_WORDS:
        return question
    return None


def _is_name(argument: str) -> bool:
    return bool(set(stems(argument)) & _NAME_WORDS)


def _names(question: str, value: JSON) -> bool:
    asked = stems(question)
    return isinstance(value, str) and bool(stems(value)) and set(stems(value)) <= set(asked)


def _branches(schema: Mapping[str, JSON]) -> list[Mapping[str, JSON]]:
    """A schema and what stands behind its `anyOf`, where an optional value has its own."""
    return [schema, *(b for b in schema.get("anyOf", ()) if isinstance(b, dict))]


def _types(schema: Mapping[str, JSON]) -> set[str]:
    found: set[str] = set()
    for branch in _branches(schema):
        kind = branch.get("type")
        found |= {kind} if isinstance(kind, str) else set(kind or ())
    return found
