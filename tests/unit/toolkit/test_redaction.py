"""Arguments as they may be shown: no secrets, nothing long, whatever somebody sends."""

import itertools
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

import pytest
from pydantic import BaseModel, SecretStr

from lycatra_appservice.errors import InvalidArgumentsError
from lycatra_appservice.model import JSON
from lycatra_appservice.toolkit.arguments import checked_arguments
from lycatra_appservice.toolkit.base import Field, ToolArgs, ToolContext, ToolResult
from lycatra_appservice.toolkit.redaction import canonical_arguments, is_secret, shown_arguments
from tests.support.toolbench import CANARY, a_tool, bench

SECRET = "zeisig"  # stands in no name and no description


class Login(BaseModel):
    """What is inside of another field."""

    user: str = Field(default="", max_length=20, description="Who.")
    phrase: SecretStr = Field(default=SecretStr(""), max_length=20, description="Like magic.")


class Everything(ToolArgs):
    """A field of every kind that hides something, or does not."""

    note: str = Field(default="", max_length=2000, description="Anything.")
    phrase: SecretStr | None = Field(default=None, max_length=9, description="Like magic.")
    phrases: list[SecretStr] = Field(default=[], max_length=9, description="Several.")
    marked: str = Field(
        default="",
        max_length=9,
        description="Marked.",
        json_schema_extra={"secret": True},
    )
    sort_key: str = Field(
        default="",
        max_length=9,
        description="A column.",
        json_schema_extra={"secret": False},
    )
    login: Login = Field(default=Login(), description="Who comes.")
    logins: list[Login] = Field(default=[], max_length=9, description="Who else.")
    times: int = Field(default=1, ge=1, le=5, description="How often.")


def shown(raw: Mapping[str, JSON], model: type[BaseModel] | None = Everything) -> JSON:
    return shown_arguments(model, raw, lambda text: text.replace(CANARY, "***"))


@pytest.mark.parametrize(
    "raw",
    [
        {"phrase": SECRET},
        {"phrases": [SECRET]},
        {"marked": SECRET},
        {"login": {"user": "x", "phrase": SECRET}},
        {"logins": [{"phrase": SECRET}]},
        {"login": {"password": SECRET}},  # no such field: somebody's mistake
        {"apiKey": SECRET},
        {"API_KEY": SECRET},
        {"db_password": {"value": [SECRET]}},
        {"access-token": SECRET},
        {"Authorization": f"Bearer {SECRET}"},
    ],
)
def test_what_is_secret_by_its_type_its_mark_or_its_name_is_hidden(raw: dict[str, JSON]) -> None:
    assert SECRET not in json.dumps(shown(raw))
    assert "***" in json.dumps(shown(raw))


def test_what_is_no_secret_is_shown() -> None:
    raw = {"note": "keyboard", "sort_key": "name", "times": 3, "monkey": None, "tokenized": True}

    assert shown(raw) == raw


def test_a_field_without_a_value_hides_nothing() -> None:
    assert shown({"phrase": None}) == {"phrase": None}


def test_arguments_of_an_unknown_tool_are_judged_by_their_names() -> None:
    assert shown({"token": SECRET, "note": "x"}, None) == {"token": "***", "note": "x"}


def test_secrets_of_the_configuration_are_taken_out_of_every_text() -> None:
    raw = {"note": f"use {CANARY}", "more": [{CANARY: CANARY}], "cut": "x" * 190 + CANARY}

    assert CANARY[:12] not in json.dumps(shown(raw))


@pytest.mark.parametrize(
    "raw",
    [
        {"note": "x" * 5000},
        {"note": ["x" * 500] * 500},
        {f"name{n}": "x" * 500 for n in range(500)},
        {"x" * 5000: 1},
        {"number": int("9" * 4000)},
        {"deep": [[[[[[[["x"]]]]]]]]},
        {f"{n}" + "x" * 100: ["x" * 100] * 20 for n in range(20)},
    ],
)
def test_what_is_shown_is_never_long(raw: dict[str, JSON]) -> None:
    assert len(json.dumps(shown(raw), ensure_ascii=False)) <= 3000


def test_what_was_left_out_is_told() -> None:
    assert shown({"note": list(range(30))})["note"][-1] == "… 10 more"
    assert shown({f"n{n}": n for n in range(25)})["…"] == "5 more"


@pytest.mark.parametrize(
    ("name", "hidden"),
    [
        ("token", True),
        ("page_token", True),
        ("tokenizer", False),
        ("key", True),
        ("keyboard", False),
        ("SSHKey", True),
        ("authToken2", True),
        ("author", False),
        ("", False),
    ],
)
def test_names_are_read_word_by_word(name: str, hidden: bool) -> None:
    assert is_secret(name) is hidden


def test_equal_calls_are_equal_however_they_are_written_and_other_secrets_are_not() -> None:
    def canonical(**raw: JSON) -> str:
        return canonical_arguments("x", Everything.model_validate(raw))

    assert canonical(times="3", note=" a ") == canonical(note="a", times=3)
    assert canonical(phrase="one") != canonical(phrase="two")
    assert canonical() != canonical_arguments("y", Everything())


def test_a_secret_that_is_wrong_is_not_repeated() -> None:
    with pytest.raises(InvalidArgumentsError) as caught:
        checked_arguments(
            a_tool(args=Everything),
            {"phrase": f"{SECRET} is too long", "login": {"phrase": [SECRET]}},
        )

    assert SECRET not in caught.value.user_message
    assert SECRET not in str(caught.value.problems)
    assert "phrase" in caught.value.user_message


def _count() -> Callable[[ToolArgs, ToolContext], Awaitable[ToolResult]]:
    numbers = itertools.count(1)

    async def count(args: ToolArgs, ctx: ToolContext) -> ToolResult:
        return ToolResult(data=next(numbers), markdown="")

    return count


async def test_a_kept_result_is_not_given_to_who_knows_another_secret() -> None:
    tool = a_tool(run=_count(), args=Everything, cache_for=timedelta(seconds=60))
    async with bench([tool]) as on:
        results = [
            await on.toolbox().call("say_something", {"phrase": phrase})
            for phrase in ("one", "two", "one")
        ]

    assert [result.data for result in results] == [1, 2, 1]
