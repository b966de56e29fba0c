"""What a model is sent of a tool's schema, and what a tool costs."""

from typing import Any

import pytest

from lycatra_appservice.toolkit.base import TOLD_LATER, Field, ToolArgs
from lycatra_appservice.toolkit.discovery import discover
from lycatra_appservice.toolkit.lean import MOST_TOKENS, lean_schema, tokens_of, weight_problem
from tests.support.toolbench import a_tool


class SomeArgs(ToolArgs):
    title: str = Field(default="", max_length=20, description="What it is called.")
    size: int = Field(default=3, ge=1, le=9, description="How large.")
    offset: int = Field(
        default=0, ge=0, le=99, description="How many to skip.", json_schema_extra=TOLD_LATER
    )


def test_a_model_is_sent_names_types_words_and_bounds_and_nothing_idle() -> None:
    assert lean_schema(a_tool(args=SomeArgs).schema()) == {
        "type": "object",
        "properties": {
            "title": {"type": "string", "maxLength": 20, "description": "What it is called."},
            "size": {"type": "integer", "maximum": 9, "description": "How large."},
        },
    }


def test_what_is_told_later_is_taken_all_the_same() -> None:
    assert "offset" in a_tool(args=SomeArgs).schema()["properties"]
    assert SomeArgs(offset=5).offset == 5


@pytest.mark.parametrize(
    ("part", "lean"),
    [
        (
            {"anyOf": [{"type": "number", "minimum": 2}, {"type": "null"}], "default": None},
            {"type": "number", "minimum": 2},
        ),
        (
            {"anyOf": [{"type": "string"}, {"type": "integer"}], "title": "Either"},
            {"anyOf": [{"type": "string"}, {"type": "integer"}]},
        ),
        (
            {"type": "string", "enum": ["default", "title"], "title": "Which"},
            {"type": "string", "enum": ["default", "title"]},
        ),
        (
            {"type": "string", "pattern": "^[0-9]+$", "description": "Digits."},
            {"type": "string", "description": "Digits."},
        ),
        ({"type": "string", "pattern": "^[0-9]+$"}, {"type": "string", "pattern": "^[0-9]+$"}),
        (
            {"type": "object", "properties": {"title": {"type": "string", "title": "Title"}}},
            {"type": "object", "properties": {"title": {"type": "string"}}},
        ),
        ({"type": "array", "items": {"title": "One", "type": "string"}}, None),
        ({"type": "object", "additionalProperties": {"type": "string", "title": "x"}}, None),
    ],
)
def test_schemas_of_others_lose_what_says_nothing(
    part: dict[str, Any], lean: dict[str, Any] | None
) -> None:
    schema = {"$schema": "x", "type": "object", "properties": {"it": part}, "required": ["it"]}
    found = lean_schema(schema)
    assert set(found) == {"type", "properties", "required"}
    assert "'title': 'One'" not in str(found)
    if lean is not None:
        assert found["properties"]["it"] == lean


def test_every_shipped_tool_is_light() -> None:
    heavy = [weight_problem(each.name, each.summary, each.schema()) for each in discover().tools]
    assert not any(heavy)


def test_a_heavy_tool_is_told_what_is_counted_and_how_it_gets_lighter() -> None:
    class HeavyArgs(ToolArgs):
        query: str = Field(max_length=9, description="Something very special to look for. " * 20)

    tool = a_tool(args=HeavyArgs)
    problem = weight_problem(tool.name, tool.summary, tool.schema())
    assert problem is not None
    tokens = tokens_of(tool.name, tool.summary, tool.schema())
    assert tokens > MOST_TOKENS
    for words in (f"about {tokens} tokens", "its name, its summary", "120 at most", "shorten"):
        assert words in problem
