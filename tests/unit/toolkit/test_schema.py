"""The JSON Schema that models and MCP clients get, and what is refused in one."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal

import pytest

from lycatra_appservice.model import Level
from lycatra_appservice.toolkit.base import Effect, Field, ToolArgs
from lycatra_appservice.toolkit.lint import lint_tool
from tests.support.toolbench import a_tool


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Inner(ToolArgs):
    depth: float = Field(ge=0, lt=10, description="In metres.")


class ManyArgs(ToolArgs):
    """Not for models."""

    colour: Colour = Field(description="Which one.")
    maybe: Colour | None = Field(default=None, description="Another one.")
    name: str | None = Field(default=None, max_length=9, description="A name.")
    kinds: list[Literal["a", "b"]] = Field(default=[], max_length=2, description="Kinds.")
    inner: Inner = Field(description="Inside.")
    limit: int = Field(default=3, ge=1, le=9, description="How many.")


def test_a_schema_is_flat_plain_and_without_nulls() -> None:
    assert a_tool(args=ManyArgs).schema() == {
        "type": "object",
        "additionalProperties": False,
        "required": ["colour", "inner"],
        "properties": {
            "colour": {"type": "string", "enum": ["red", "blue"], "description": "Which one."},
            "maybe": {"type": "string", "enum": ["red", "blue"], "description": "Another one."},
            "name": {"type": "string", "maxLength": 9, "description": "A name."},
            "kinds": {
                "type": "array",
                "items": {"type": "string", "enum": ["a", "b"]},
                "maxItems": 2,
                "default": [],
                "description": "Kinds.",
            },
            "inner": {
                "type": "object",
                "additionalProperties": False,
                "required": ["depth"],
                "properties": {
                    "depth": {
                        "type": "number",
                        "minimum": 0,
                        "exclusiveMaximum": 10,
                        "description": "In metres.",
                    }
                },
                "description": "Inside.",
            },
            "limit": {
                "type": "integer",
                "minimum": 1,
                "maximum": 9,
                "default": 3,
                "description": "How many.",
            },
        },
    }
    assert ManyArgs(colour=Colour.RED, inner=Inner(depth=1), name=None).name is None


def test_no_arguments_are_an_empty_object() -> None:
    class Nothing(ToolArgs):
        pass

    assert a_tool(args=Nothing).schema() == {
        "type": "object",
        "additionalProperties": False,
        "properties": {},
    }


def test_a_well_declared_tool_has_no_problems() -> None:
    assert lint_tool(a_tool(args=ManyArgs)) == []


class EndlessString(ToolArgs):
    text: str = Field(description="Text.")


class EndlessNumber(ToolArgs):
    count: int = Field(ge=0, description="Number.")


class EndlessList(ToolArgs):
    names: list[Annotated[str, Field(max_length=3)]] = Field(description="Names.")


class EndlessStringInAList(ToolArgs):
    names: list[str] = Field(max_length=3, description="Names.")


class Undescribed(ToolArgs):
    count: int = Field(ge=0, le=1)


class AnyKeys(ToolArgs):
    marks: dict[str, int] = Field(max_length=3, description="Marks.")


class Anything(ToolArgs):
    thing: object = Field(description="Thing.")


class LooksAhead(ToolArgs):
    text: str = Field(max_length=9, description="Text.", json_schema_extra={"pattern": "(?=a)b"})


class Recursive(ToolArgs):
    child: "Recursive | None" = Field(default=None, description="Another one.")


class Lenient(ToolArgs, extra="ignore"):
    pass


class Union(ToolArgs):
    either: int | Annotated[str, Field(max_length=3)] = Field(description="Either.")


@pytest.mark.parametrize(
    ("args", "problem"),
    [
        (EndlessString, "arguments.text has no bounds: give its Field max_length="),
        (EndlessNumber, "arguments.count has no bounds: give its Field ge= and le="),
        (EndlessList, "arguments.names has no bounds: give its Field max_length="),
        (EndlessStringInAList, "arguments.names[] has no bounds: give its Field max_length="),
        (Undescribed, "the argument 'count' has no description"),
        (AnyKeys, "arguments.marks would take anything: instead of a dict use a class"),
        (Anything, "arguments.thing has no type that a model knows"),
        (LooksAhead, "arguments.text has a pattern that looks around"),
        (Recursive, "contains itself"),
        (Lenient, "must be frozen and forbid unknown fields"),
        (Union, "arguments.either has no bounds: give its Field ge= and le="),
    ],
)
def test_arguments_that_a_backend_cannot_bound_are_refused(
    args: type[ToolArgs], problem: str
) -> None:
    assert any(problem in found for found in lint_tool(a_tool(args=args)))


def test_a_declaration_that_nobody_could_use_is_refused() -> None:
    bad = a_tool(
        name="Say!",
        summary="Too short.",
        level=Level.NONE,
        effect=Effect.CHANGE,
        timeout=timedelta(0),
        cache_for=timedelta(seconds=61),
    )

    problems = "\n".join(lint_tool(bad))

    assert "'Say!' should be 3 to 41 of a-z" in problems
    assert "the summary has 10 characters" in problems
    assert "the level must be viewer or higher" in problems
    assert "the timeout must be above zero" in problems
    assert "cache_for must be 0 to 60 seconds" in problems
    assert "must not be cached" in problems


def test_a_tool_that_would_block_everybody_is_refused() -> None:
    def blocking(args: object, ctx: object) -> None:
        raise AssertionError

    assert lint_tool(a_tool(run=blocking)) == ["run must be an `async def`"]
