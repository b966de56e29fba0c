"""Turns what somebody wrote into checked arguments, or says field by field what is wrong."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from lycatra_appservice.errors import InvalidArgumentsError
from lycatra_appservice.model import JSON
from lycatra_appservice.toolkit.base import ArgsT, Tool
from lycatra_appservice.toolkit.redaction import is_secret_place
from lycatra_appservice.words.text import Said, Text

_SHOWN_CHARACTERS = 40  # of a wrong value or name; enough to recognise it
_NO_BOUND = str(None)  # tools of ours have bounds, those of others often none
_SHOWN_PROBLEMS = 8  # a person fixes these first; a model that sent more sent nonsense


def checked_arguments(tool: Tool[ArgsT], raw: Mapping[str, JSON]) -> ArgsT:
    """The tool's own arguments model; numbers written as text are taken as numbers.

    Raises InvalidArgumentsError with one problem a field, with allowed values and, for a
    misspelt field, the likely one. Wrong values are shown cut short.
    """
    try:
        return tool.args.model_validate(dict(raw))
    except ValidationError as exc:
        details = exc.errors(include_url=False)
    problems = list(_problems(details, tool))
    # Not chained: pydantic's own text repeats the arguments, and those do not belong in a log.
    raise InvalidArgumentsError(_refusal(tool.name, problems), problems)


def likely(word: str, known: Sequence[str]) -> str | None:
    """The one of `known` that was probably meant."""
    close = difflib.get_close_matches(shortened(word), known, n=1)
    return close[0] if close else None


def shortened(word: str) -> str:
    """A word of a stranger, safe to repeat: one line, no code marks, not long."""
    plain = " ".join(word.replace("`", "'").split())
    if len(plain) <= _SHOWN_CHARACTERS:
        return plain
    return f"{plain[:_SHOWN_CHARACTERS]}…"


def _refusal(tool: str, problems: Sequence[Text]) -> Text:
    if len(problems) == 1:
        return Text("cannot_run", tool=tool, problem=problems[0])
    items = [Text("item", said=problem) for problem in problems]
    return Text("cannot_run_list", tool=tool, problems=items)


def _problems(details: Sequence[ErrorDetails], tool: Tool[ArgsT]) -> Iterator[Text]:
    for detail in details[:_SHOWN_PROBLEMS]:
        is_hidden = is_secret_place(tool.args, detail["loc"])
        yield _problem(detail, tool.schema(), is_hidden=is_hidden)
    if len(details) > _SHOWN_PROBLEMS:
        yield Text("more_problems", n=len(details) - _SHOWN_PROBLEMS)


def _problem(detail: ErrorDetails, schema: Mapping[str, Any], *, is_hidden: bool) -> Text:
    place = detail["loc"]
    name = _named(".".join(str(part) for part in place)) if place else Text("the_arguments")
    field = _field_at(place, schema)
    match detail["type"]:
        case "extra_forbidden":
            return _unknown_field(str(place[-1]), name, _field_at(place[:-1], schema))
        case "missing":
            described = field.get("description") or Text("argument_required")
            return Text("argument_missing", name=name, description=_unstopped(described))
        case "value_error":
            # A model's own validator: its words are ours.
            return Text("argument_refused", name=name, problem=str(detail["ctx"]["error"]))
        case _:
            shown = Text("shown_otherwise") if is_hidden else _shown(detail["input"])
            return Text("argument_wrong", name=name, expected=expected(field), shown=shown)


def _field_at(place: Sequence[int | str], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema of what stands there; empty for what the tool does not know."""
    for part in place:
        inside = schema.get("properties", {})
        schema = inside.get(part, {}) if isinstance(part, str) else schema.get("items", {})
    return schema


def _unknown_field(word: str, name: Said, around: Mapping[str, Any]) -> Text:
    known = list(around.get("properties", {}))
    if not known:
        return Text("argument_unknown_none", name=name)
    meant = likely(word, known)
    if meant:
        return Text("argument_unknown_near", name=name, meant=_named(meant))
    return Text("argument_unknown", name=name, known=_listed(known))


def expected(field: Mapping[str, Any]) -> Text:
    """What an argument takes, by its JSON Schema: "a whole number from 1 to 50"."""
    if "enum" in field:
        return Text("expected_one_of", values=_listed(field["enum"]))
    match field.get("type"):
        case "integer":
            return _whole_number(*_range(field))
        case "number":
            return _number(*_range(field))
        case "boolean":
            return Text("expected_boolean")
        case "string" if "pattern" in field:
            description = str(field.get("description", "")).rstrip(".")
            return Text("expected_described", description=description)
        case "string":
            return _text(str(field.get("minLength", 0)), str(field.get("maxLength")))
        case "array":
            return _list(field)
        case _:
            return Text("expected_otherwise")


def _list(field: Mapping[str, Any]) -> Text:
    each = expected(field.get("items", {}))
    if "maxItems" not in field:
        return Text("expected_list_any", each=each)
    return Text("expected_list", most=str(field["maxItems"]), each=each)


def _whole_number(least: str, most: str) -> Text:
    if _NO_BOUND in (least, most):
        return Text("expected_whole_number_any")
    return Text("expected_whole_number", least=least, most=most)


def _number(least: str, most: str) -> Text:
    if _NO_BOUND in (least, most):
        return Text("expected_number_any")
    return Text("expected_number", least=least, most=most)


def _text(least: str, most: str) -> Text:
    if most == _NO_BOUND:
        return Text("expected_text_any")
    return Text("expected_text", least=least, most=most)


def _range(field: Mapping[str, Any]) -> tuple[str, str]:
    lower = field.get("minimum", field.get("exclusiveMinimum"))
    upper = field.get("maximum", field.get("exclusiveMaximum"))
    return str(lower), str(upper)


def _shown(value: object) -> Said:
    if isinstance(value, str):
        return _named(value) if value.strip() else Text("shown_empty")
    if isinstance(value, bool | int | float):
        return _named(str(value))
    if value is None:
        return Text("shown_nothing")
    return Text("shown_list") if isinstance(value, list) else Text("shown_otherwise")


def _unstopped(described: Said) -> Said:
    """For the middle of a sentence that has its own full stop."""
    return described.rstrip(".") if isinstance(described, str) else described


def _named(word: str) -> str:
    return f"`{shortened(word)}`"


def _listed(words: Sequence[object]) -> str:
    return ", ".join(f"`{word}`" for word in words)
