"""What replicas compare, to tell whether they have the same tools."""

from datetime import timedelta
from typing import Any

import pytest

from lycatra_appservice.model import Level
from lycatra_appservice.toolkit.approvals import Plan, Rule
from lycatra_appservice.toolkit.base import Audience, Effect, Scope, ToolContext
from lycatra_appservice.toolkit.registry import Registry
from tests.support.toolbench import TESTING, EchoArgs, a_tool


def digest(**declared: Any) -> str:
    return Registry([TESTING], {TESTING.name: [a_tool(**declared)]}).digest


async def plan(args: EchoArgs, ctx: ToolContext) -> Plan:
    raise AssertionError("nobody plans anything here")


def test_equal_tools_have_equal_digests() -> None:
    assert digest() == digest()


@pytest.mark.parametrize(
    "declared",
    [
        {"name": "say_more"},
        {"level": Level.OPERATOR},
        {"effect": Effect.CHANGE},
        {"audience": Audience.ASKER},
        {"scope": Scope.SHARED},
        {"cache_for": timedelta(seconds=5)},
        {"timeout": timedelta(seconds=5)},
        {"also_called": ["speak"]},
        {"title": "Say it"},
    ],
)
def test_whatever_people_would_notice_makes_another_digest(declared: dict[str, Any]) -> None:
    assert digest(**declared) != digest()


def test_so_does_how_a_change_is_let_through() -> None:
    found = {
        digest(effect=Effect.CHANGE, **more)
        for more in (
            {},
            {"approval": Rule(quorum=2)},
            {"approval": Rule(quorum=3)},
            {"plan": plan},
        )
    }

    assert len(found) == 4
