"""Arguments that a JSON Schema of a server describes."""

import pytest

from lycatra_appservice.errors import InvalidArgumentsError
from lycatra_appservice.model import JSON
from lycatra_appservice.toolkit.arguments import checked_arguments
from lycatra_appservice.toolkit.base import Tool, ToolArgs, ToolContext, ToolResult
from lycatra_appservice.toolkit.remote.arguments import arguments_for
from lycatra_appservice.toolkit.remote.schema import plain_schema

SCHEMA: dict[str, JSON] = {
    "type": "object",
    "properties": {
        "count": {"type": "integer", "minimum": 1, "maximum": 9},
        "kind": {"type": "string", "enum": ["red", "blue"]},
        "is_new": {"type": "boolean"},
        "words": {"type": "array", "items": {"type": "string"}},
        "name": {"type": "string"},
    },
    "required": ["count"],
    "additionalProperties": False,
}


async def run(args: ToolArgs, ctx: ToolContext) -> ToolResult:
    raise AssertionError("it is only about the arguments")


def a_tool() -> Tool[ToolArgs]:
    return Tool(
        name="peer_paint",
        title="Paint",
        summary="Paints.",
        args=arguments_for(plain_schema(SCHEMA)),
        run=run,
        example="peer paint 3",
    )


def test_words_become_what_the_schema_asks_for() -> None:
    written = {"count": "3", "is_new": "yes", "words": "one, two", "kind": "red", "name": "3"}

    args = checked_arguments(a_tool(), written)

    assert args.model_dump(mode="json") == {
        "count": 3,
        "is_new": True,
        "words": ["one", "two"],
        "kind": "red",
        "name": "3",
    }


def test_null_for_what_need_not_be_said_is_as_if_it_was_not_said() -> None:
    args = checked_arguments(a_tool(), {"count": 1, "name": None})

    assert args.model_dump(mode="json") == {"count": 1}


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ({}, "count"),
        ({"count": 12}, "a whole number from 1 to 9"),
        ({"count": 1, "kind": "green"}, "`red`, `blue`"),
        ({"count": 1, "nam": "x"}, "did you mean `name`"),
        ({"count": 1, "name": 7}, "name"),
    ],
)
def test_what_does_not_fit_is_told_by_field(written: dict[str, JSON], words: str) -> None:
    with pytest.raises(InvalidArgumentsError) as refused:
        checked_arguments(a_tool(), written)

    assert words in refused.value.user_message
    assert "None" not in refused.value.user_message


def test_the_schema_that_models_get_is_that_of_the_server() -> None:
    assert a_tool().schema()["properties"]["count"] == SCHEMA["properties"]["count"]
