"""A tool that repeats a secret of the configuration is not repeated."""

import html
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest

from lycatra_appservice.errors import InvalidArgumentsError, ToolError, ToolFailedError
from lycatra_appservice.model import File
from lycatra_appservice.ops.masking import Masker
from lycatra_appservice.toolkit.approvals import NeedsApprovalError
from lycatra_appservice.toolkit.base import Effect, Plan, ToolContext, ToolResult
from lycatra_appservice.toolkit.discretion import discreet_result, make_discreet
from lycatra_appservice.words.text import Text
from tests.support.toolbench import EchoArgs, a_tool, bench

SECRET = "canary-0123456789"
conceal = Masker([SECRET]).conceal


def test_a_result_is_told_without_it_in_every_part() -> None:
    picture = File(name="a.png", content_type="image/png", data=b"\x89\xff\x00", description="x")
    notes = File(name="a.txt", content_type="text/plain", data=SECRET.encode(), description="x")
    result = ToolResult(
        data={SECRET: [f"x {SECRET}", 1, None, ("y", True)]},
        markdown=f"**{SECRET}**",
        note=Text("with_note", said=SECRET, note=Text("left_out", n=3)),
        files=[picture, notes],
    )

    told = discreet_result(result, conceal)

    assert SECRET not in repr(told)
    assert told.data == {"***": ["x ***", 1, None, ["y", True]]}
    assert [file.data for file in told.files] == [picture.data, b"***"]


def test_its_files_are_called_and_described_without_it() -> None:
    file = File(name=f"{SECRET}.txt", content_type="text/plain", data=b"", description=SECRET)

    told = discreet_result(ToolResult(data=None, markdown="", files=[file]), conceal)

    assert SECRET not in repr(told)


@pytest.mark.parametrize(
    "written",
    [
        lambda secret: secret.encode(),
        lambda secret: secret.encode("latin-1"),
        lambda secret: json.dumps(secret).encode(),
        lambda secret: json.dumps(secret, ensure_ascii=False).encode(),
        lambda secret: html.escape(secret).encode(),
        lambda secret: quote(secret).encode(),
        lambda secret: quote_plus(secret).encode(),
        lambda secret: repr(secret).encode(),
    ],
)
def test_it_is_recognised_however_texts_and_files_write_it(
    written: Callable[[str], bytes],
) -> None:
    secret = 'Mäuse & "Käse" <7>'
    data = b"x " + written(secret) + b" x"
    mask = Masker([secret]).conceal
    file = File(name="a.txt", content_type="text/plain", data=data, description="x")
    result = ToolResult(data=None, markdown=data.decode("utf-8", "replace"), files=[file])

    told = discreet_result(result, mask)

    assert b"use" not in told.files[0].data
    if "\ufffd" not in result.markdown:
        assert "use" not in told.markdown


@pytest.mark.parametrize(
    "error",
    [
        ToolFailedError(f"no login with {SECRET}"),
        ToolFailedError(Text("failed", sentence=[SECRET, Text("failed", sentence=SECRET)])),
        InvalidArgumentsError("No.", [f"limit: not {SECRET}"]),
    ],
)
def test_a_refusal_is_told_without_it(error: ToolError) -> None:
    make_discreet(error, conceal)

    problems = error.problems if isinstance(error, InvalidArgumentsError) else ()
    assert SECRET not in error.user_message + str(problems)


async def test_the_card_of_a_change_is_without_it_and_bound_to_the_same() -> None:
    async def plan(args: EchoArgs, ctx: ToolContext) -> Plan:
        return Plan(target=f"host {SECRET}", steps=[f"runs `login {SECRET}`"], look=SECRET)

    hashes = []
    for mask in (conceal, str):
        needed = await _needed(plan, mask)
        hashes.append(needed.args_hash)
        assert (SECRET in repr(needed.plan)) is (mask is str)
    assert hashes[0] == hashes[1]


async def _needed(plan: object, mask: Callable[[str], str]) -> NeedsApprovalError:
    tool = a_tool(name="log_in", effect=Effect.CHANGE, plan=plan)
    async with bench([tool], conceal=mask) as opened:
        with pytest.raises(NeedsApprovalError) as raised:
            await opened.toolbox().call("log_in", {"text": "x"})
    return raised.value


def test_words_about_secrets_are_left_alone() -> None:
    said = "Use a bearer token; as_token=yours."

    assert Masker([SECRET]).conceal(said) == said
