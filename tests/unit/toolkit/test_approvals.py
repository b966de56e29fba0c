"""Rules of approvals: who counts, what is configured, and what is kept."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from lycatra_appservice.freeze_times import read_freeze_time
from lycatra_appservice.model import Level, RoomID, UserID
from lycatra_appservice.settings import Approvals
from lycatra_appservice.toolkit.access import Access
from lycatra_appservice.toolkit.actor_list import ActorList
from lycatra_appservice.toolkit.approvals import (
    DEFAULT_RULE,
    ConfiguredRules,
    Plan,
    Rule,
    bound_to,
    rule_from_json,
    rule_to_json,
)
from lycatra_appservice.toolkit.base import Effect, Field, ToolArgs
from lycatra_appservice.toolkit.permissions import Requirement
from lycatra_appservice.toolkit.rights import Rights
from tests.support.toolbench import OPERATOR, EchoArgs, Lists, a_tool

ASKER = UserID("@asker:example.org")
OTHER = UserID("@other:example.org")


DENIED = UserID("@out:example.org")


def named(*entries: str) -> Requirement:
    return Requirement(level=Level.OPERATOR, who=ActorList(entries))


def rules(**settings: Any) -> ConfiguredRules:
    return ConfiguredRules(Approvals.model_validate(settings))


def changing(approval: Rule | None = None) -> Any:
    return a_tool(effect=Effect.CHANGE, approval=approval)


@pytest.mark.parametrize(
    ("needs", "voter", "counts"),
    [
        (Requirement(level=Level.OPERATOR), OPERATOR, True),
        (Requirement(level=Level.OPERATOR), OTHER, False),
        # By name whatever the level, but for whom everything is denied.
        (named(OTHER), OTHER, True),
        (named(OTHER), OPERATOR, False),
        (named("*:example.org"), OTHER, True),
        (named("*"), UserID("@x:evil-example.org"), True),
        (named("*:example.org"), UserID("@x:evil-example.org"), False),
        (named("*:example.org"), UserID("@x:example.org.evil"), False),
        (named(DENIED), DENIED, False),
        (Requirement(level=Level.VIEWER), DENIED, False),
    ],
)
async def test_a_vote_counts_by_level_or_by_name(
    needs: Requirement, voter: UserID, *, counts: bool
) -> None:
    rights = Rights(Access(Lists(none=[DENIED])))

    assert await rights.meets(needs, voter, RoomID("!room")) is counts


def test_the_default_is_one_operator_within_a_quarter_of_an_hour() -> None:
    assert rules()(changing()) == DEFAULT_RULE
    assert (DEFAULT_RULE.level, DEFAULT_RULE.quorum) == (Level.OPERATOR, 1)
    assert timedelta(minutes=15) == DEFAULT_RULE.lifetime


def test_what_is_configured_wins_value_by_value_over_what_a_tool_declares() -> None:
    declared = Rule(quorum=2, lifetime=timedelta(days=1), not_requester=True)
    configured = rules(
        lifetime="1h", tools={"say_something": {"level": "admin"}}, people=["@a:b.org"]
    )

    rule = configured(changing(declared))

    assert rule == Rule(
        quorum=2, lifetime=timedelta(hours=1), not_requester=True, level=Level.ADMIN
    )


def test_a_rule_is_kept_as_it_was() -> None:
    rule = Rule(
        level=Level.ADMIN,
        people=("@a:b.org",),
        not_requester=True,
        quorum=3,
        lifetime=timedelta(minutes=1),
        freeze=(read_freeze_time("sat-sun"),),
        room=RoomID("!room"),
    )

    assert rule_from_json(rule_to_json(rule)) == rule


@pytest.mark.parametrize(
    "settings",
    [
        {"level": "none"},
        {"level": "admin", "people": ["@a:b.org"]},
        {"quorum": 0},
        {"lifetime": "31d"},
        {"room": "#alias:example.org"},
        {"freeze": ["weekend"]},
        {"tools": {"x": {"tools": {}}}},
    ],
)
def test_what_makes_no_sense_is_refused(settings: Any) -> None:
    with pytest.raises(ValidationError):
        Approvals.model_validate(settings)


def test_an_approval_is_bound_to_the_call_and_to_what_it_would_do() -> None:
    plan = Plan(target="web", steps=["runs it"])
    args = EchoArgs(text="a", times=2)
    bound = bound_to("restart", args, plan)

    assert bound == bound_to("restart", EchoArgs.model_validate({"times": "2", "text": "a"}), plan)
    assert bound != bound_to("restart", EchoArgs(text="a", times=3), plan)
    assert bound != bound_to("stop", args, plan)
    assert bound != bound_to("restart", args, Plan(target="web", steps=["kills it"]))
    assert bound == bound_to(
        "restart",
        args,
        Plan(target="web", steps=["runs it"], now=["it is down"], look="status"),
    )


def test_an_approval_is_bound_to_secrets_too() -> None:
    class SignIn(ToolArgs):
        password: SecretStr = Field(description="The password.")

    first, second = (SignIn.model_validate({"password": word}) for word in ("one", "two"))

    assert bound_to("sign_in", first, Plan(target="x", steps=())) != bound_to(
        "sign_in", second, Plan(target="x", steps=())
    )
