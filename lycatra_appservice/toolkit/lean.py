"""A tool's schema as a model is sent it, and how many tokens a tool costs in every prompt."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from lycatra_appservice.toolkit.base import TOLD_LATER

MOST_TOKENS: Final = 120  # of one tool: ten of them fill a third of a small model's window

# What tells a model nothing: it leaves an argument out, and the tool knows its own default.
_NOTHING: Final = frozenset(
    {"$schema", "$id", "$comment", "title", "default", "examples", "deprecated", "readOnly"}
)
_NAMED: Final = frozenset({"properties", "$defs", "definitions"})  # what stands below has names
_NULL: Final = {"type": "null"}
_BRANCHES: Final = ("anyOf", "oneOf")

# About what tokenizers of large vocabularies make of English and JSON.
_PIECE: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]{1,3}|[^\sA-Za-z0-9]{1,3}")
_LONGEST_PIECE: Final = 12


def lean_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema without what says nothing to a model, and what a result tells it in time.

    What the gate accepts does not change by it. Bounds stay: some servers hold the model to them,
    and without them let it write for ever.
    """
    told = {key: _below(key, value) for key, value in schema.items() if not _is_idle(key, value)}
    if "description" in told:
        told.pop("pattern", None)  # which no model reads as easily, and the gate knows
    return _without_null(told)


def tokens_of(name: str, summary: str, schema: Mapping[str, Any]) -> int:
    """How many tokens a tool costs in each prompt, about: its name, summary and lean schema."""
    written = json.dumps(lean_schema(schema), ensure_ascii=False, separators=(",", ":"))
    pieces = _PIECE.findall(f"{name}\n{summary}\n{written}")
    return sum(-(-len(piece) // _LONGEST_PIECE) for piece in pieces)


def weight_problem(name: str, summary: str, schema: Mapping[str, Any]) -> str | None:
    """What is wrong with a tool that costs too much, and how it gets cheaper."""
    tokens = tokens_of(name, summary, schema)
    if tokens <= MOST_TOKENS:
        return None
    return (
        f"it costs every prompt about {tokens} tokens (its name, its summary, and the schema of "
        f"its arguments as models are sent it), and {MOST_TOKENS} at most: shorten the summary "
        "and the descriptions, take out arguments and long lists of choices, or mark arguments "
        "that a result tells of as TOLD_LATER"
    )


def _is_idle(key: str, value: Any) -> bool:
    if key == "additionalProperties":
        return value is False  # how every server takes it anyway
    return key in _NOTHING or key.startswith("x-") or (key == "minimum" and value in (0, 1))


def _below(key: str, value: Any) -> Any:
    if key in _NAMED and isinstance(value, dict):
        return {name: _lean(each) for name, each in value.items() if not _is_told_later(each)}
    if isinstance(value, list) and key != "enum":
        return [_lean(each) for each in value]
    return value if key == "enum" else _lean(value)


def _lean(value: Any) -> Any:
    return lean_schema(value) if isinstance(value, dict) else value


def _is_told_later(schema: Any) -> bool:
    return isinstance(schema, dict) and TOLD_LATER.items() <= schema.items()


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """An optional argument is left out, not null: small models would write the word."""
    for key in _BRANCHES:
        branches = schema.get(key)
        if isinstance(branches, list) and _NULL in branches and len(branches) == 2:
            [other] = [each for each in branches if each != _NULL] or [{}]
            return {**other, **{name: each for name, each in schema.items() if name != key}}
    return schema
