"""Turns what somebody wrote into checked arguments, or says field by field what is wrong."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from lycatra_appservice.errors import InvalidArgumentsError
from lycatra_appservice.model import JSON
from lycatra_appservice.toolkit.base import ArgsT, Tool

_SHOWN_CHARACTERS = 40  # of a wrong value or name; enough to recognise it
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
    problems = list(_problems(details, tool.schema().get("properties", {})))
    sentence = "; ".join(problems)
    # Not chained: pydantic's own text repeats the arguments, and those do not belong in a log.
    raise InvalidArgumentsError(f"I cannot run `{tool.name}` like this: {sentence}.", problems)


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


def _problems(details: Sequence[ErrorDetails], fields: Mapping[str, Any]) -> Iterator[str]:
    for detail in details[:_SHOWN_PROBLEMS]:
        yield _problem(detail, fields)
    if len(details) > _SHOWN_PROBLEMS:
        yield f"and {len(details) - _SHOWN_PROBLEMS} more problems"


def _problem(detail: ErrorDetails, fields: Mapping[str, Any]) -> str:
    name = shortened(".".join(str(part) for part in detail["loc"])) or "the arguments"
    field = fields.get(name, {})
    match detail["type"]:
        case "extra_forbidden":
            return _unknown_field(name, list(fields))
        case "missing":
            return f"`{name}` is missing: {field.get('description') or 'it is required'}"
        case "value_error":
            # A model's own validator: its words are ours.
            return f"`{name}` {detail['ctx']['error']}"
        case _ if field:
            return f"`{name}` must be {_expected(field)}, not {_shown(detail['input'])}"
        case _:
            return f"`{name}`: {detail['msg']}"


def _unknown_field(name: str, known: Sequence[str]) -> str:
    if not known:
        return f"`{name}` is not known, this tool takes no arguments"
    meant = likely(name, known)
    if meant:
        return f"`{name}` is not known, did you mean `{meant}`?"
    return f"`{name}` is not known, there are {', '.join(f'`{each}`' for each in known)}"


def _expected(field: Mapping[str, Any]) -> str:
    if "enum" in field:
        return f"one of {', '.join(f'`{value}`' for value in field['enum'])}"
    match field.get("type"):
        case "integer":
            return f"a whole number{_range(field)}"
        case "number":
            return f"a number{_range(field)}"
        case "boolean":
            return "true or false"
        case "string" if "pattern" in field:
            return f"as described: {str(field.get('description', '')).rstrip('.')}"
        case "string":
            return f"text of {field.get('minLength', 0)} to {field.get('maxLength')} characters"
        case "array":
            inner = _expected(field.get("items", {}))
            return f"a list of at most {field.get('maxItems')}, each {inner}"
        case _:
            return "as its description says"


def _range(field: Mapping[str, Any]) -> str:
    lower = field.get("minimum", field.get("exclusiveMinimum"))
    upper = field.get("maximum", field.get("exclusiveMaximum"))
    return f" from {lower} to {upper}"


def _shown(value: object) -> str:
    if isinstance(value, str):
        return f"`{shortened(value)}`" if value.strip() else "empty"
    if isinstance(value, bool | int | float):
        return f"`{shortened(str(value))}`"
    if value is None:
        return "nothing"
    return "a list" if isinstance(value, list) else "something else"
