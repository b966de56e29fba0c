"""What replicas compare, to tell whether they have the same tools."""

from datetime import timedelta
from typing import Any

import pytest

from lycatra_appservice.model import Level
from lycatra_appservice.toolkit.approvals import Plan, Rule
from lycatra_appservice.toolkit.base import Audience, Effect, Namespace, Scope, ToolContext
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


REMOTE = Namespace(name="peer", display_name="Peer", summary="Of others.", is_remote=True)


def test_the_tools_of_a_remote_namespace_are_exchanged_and_followers_told() -> None:
    registry = Registry([TESTING, REMOTE], {TESTING.name: [a_tool()]})
    heard: list[int] = []
    registry.follow(lambda: heard.append(len(registry.tools)))
    before = registry.digest

    registry.exchange("peer", [a_tool(name="peer_one"), a_tool(name="peer_two")])
    registry.exchange("peer", [a_tool(name="peer_two")])

    assert heard == [3, 2]
    assert [tool.name for tool in registry.tools_of("peer")] == ["peer_two"]
    assert registry.digest == before
    assert registry.namespace_of("peer_one") is REMOTE  # a call of it may be on its way


def test_nothing_else_is_ever_exchanged() -> None:
    registry = Registry([TESTING, REMOTE], {TESTING.name: [a_tool()]})

    with pytest.raises(ValueError, match="never change"):
        registry.exchange(TESTING.name, [])
    with pytest.raises(ValueError, match="two tools"):
        registry.exchange("peer", [a_tool()])
