"""What a person or a model reads when the arguments do not fit."""

from enum import StrEnum
from typing import Any

import pytest
from pydantic import field_validator

from lycatra_appservice.errors import InvalidArgumentsError, ToolFailedError
from lycatra_appservice.toolkit.base import Field, ToolArgs
from tests.support.toolbench import a_tool, bench


class Size(StrEnum):
    SMALL = "small"
    LARGE = "large"


class OrderArgs(ToolArgs):
    item: str = Field(min_length=1, max_length=20, description="What to order.")
    size: Size = Field(default=Size.SMALL, description="How large.")
    count: int = Field(default=1, ge=1, le=12, description="How many.")
    gift: bool = Field(default=False, description="Wrap it.")
    day: str | None = Field(
        default=None, max_length=10, pattern="^[0-9]+$", description="A day, as in 24."
    )
    extras: list[Size] = Field(default=[], max_length=2, description="More of them.")

    @field_validator("item")
    @classmethod
    def _in_stock(cls, item: str) -> str:
        if item == "bug":
            raise TypeError("a mistake in the tool")
        if item == "moon":
            raise ValueError("is not in stock; order a star")
        return item


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        ({}, "`item` is missing: What to order"),
        ({"item": "moon"}, "`item` is not in stock; order a star"),
        ({"item": ""}, "`item` must be text of 1 to 20 characters, not empty"),
        ({"item": None}, "`item` must be text of 1 to 20 characters, not nothing"),
        ({"item": ["a"]}, "`item` must be text of 1 to 20 characters, not a list"),
        ({"item": "a", "size": "big"}, "`size` must be one of `small`, `large`, not `big`"),
        (
            {"item": "a", "count": "many"},
            "`count` must be a whole number from 1 to 12, not `many`",
        ),
        ({"item": "a", "count": 13}, "`count` must be a whole number from 1 to 12, not `13`"),
        ({"item": "a", "gift": "perhaps"}, "`gift` must be true or false, not `perhaps`"),
        ({"item": "a", "day": "soon"}, "`day` must be as described: A day, as in 24, not `soon`"),
        (
            {"item": "a", "extras": "all"},
            "`extras` must be a list of at most 2, each one of `small`, `large`, not `all`",
        ),
        ({"item": "a", "cuont": 2}, "`cuont` is not known, did you mean `count`?"),
        (
            {"item": "a", "zzz": 2},
            "`zzz` is not known, there are `item`, `size`, `count`, `gift`, `day`, `extras`",
        ),
    ],
)
async def test_a_problem_names_the_field_and_what_it_takes(
    raw: dict[str, Any], problem: str
) -> None:
    async with bench([a_tool(name="order_item", args=OrderArgs)]) as on:
        with pytest.raises(InvalidArgumentsError) as caught:
            await on.toolbox().call("order_item", raw)

    assert caught.value.problems == (problem,)
    assert caught.value.user_message == f"I cannot run `order_item` like this: {problem}."


async def test_an_error_inside_a_list_names_the_place() -> None:
    async with bench([a_tool(name="order_item", args=OrderArgs)]) as on:
        with pytest.raises(
            InvalidArgumentsError, match=r"`extras\.1` must be one of `small`, `large`, not `x`"
        ):
            await on.toolbox().call("order_item", {"item": "a", "extras": ["small", "x"]})


async def test_a_tool_without_arguments_says_so() -> None:
    async with bench([a_tool(args=ToolArgs)]) as on:
        with pytest.raises(InvalidArgumentsError, match="this tool takes no arguments"):
            await on.toolbox().call("say_something", {"x": 1})


async def test_huge_and_many_wrong_arguments_give_a_short_answer() -> None:
    raw: dict[str, Any] = {"item": "x" * 100_000, "y" * 100_000: 1, "`\n@room": "z" * 100_000}
    raw |= {f"unknown_{number}": number for number in range(1000)}
    async with bench([a_tool(name="order_item", args=OrderArgs)]) as on:
        with pytest.raises(InvalidArgumentsError) as caught:
            await on.toolbox().call("order_item", raw)

    assert len(caught.value.user_message) < 1500
    assert len(caught.value.user_message.splitlines()) == 1 + 9  # no line of somebody's own
    assert caught.value.problems[-1] == "and 995 more"


async def test_a_mistake_in_a_tools_own_check_is_the_tools_not_the_persons() -> None:
    async with bench([a_tool(name="order_item", args=OrderArgs)]) as on:
        with pytest.raises(ToolFailedError):
            await on.toolbox().call("order_item", {"item": "bug"})
        assert on.calls.outcomes == ["crashed"]
