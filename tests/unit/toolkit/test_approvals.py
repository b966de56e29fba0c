"""Rules of approvals: who counts, what is configured, and what is kept."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from lycatra_appservice.errors import SettingsError
from lycatra_appservice.freeze_times import read_freeze_time
from lycatra_appservice.model import Level, RoomID, UserID
from lycatra_appservice.settings import Approvals
from lycatra_appservice.toolkit.approvals import (
    DEFAULT_RULE,
    ConfiguredRules,
    Plan,
    Rule,
    bound_to,
    rule_from_json,
    rule_to_json,
)
from lycatra_appservice.toolkit.base import Effect
from tests.support.toolbench import a_tool

ASKER = UserID("@asker:example.org")
OTHER = UserID("@other:example.org")


def rules(**settings: Any) -> ConfiguredRules:
    return ConfiguredRules(Approvals.model_validate(settings))


def changing(approval: Rule | None = None) -> Any:
    return a_tool(effect=Effect.CHANGE, approval=approval)


@pytest.mark.parametrize(
    ("rule", "voter", "level", "counts"),
    [
        (Rule(), ASKER, Level.OPERATOR, True),
        (Rule(), OTHER, Level.ADMIN, True),
        (Rule(), OTHER, Level.VIEWER, False),
        (Rule(not_requester=True), ASKER, Level.ADMIN, False),
        (Rule(not_requester=True), OTHER, Level.OPERATOR, True),
        (Rule(people=(OTHER,)), OTHER, Level.VIEWER, True),
        (Rule(people=(OTHER,)), ASKER, Level.ADMIN, False),
        (Rule(people=("*:example.org",)), ASKER, Level.VIEWER, True),
        (Rule(people=("*",)), UserID("@x:evil-example.org"), Level.VIEWER, True),
        (Rule(people=("*:example.org",)), UserID("@x:evil-example.org"), Level.ADMIN, False),
        (Rule(people=("*:example.org",)), UserID("@x:example.org.evil"), Level.ADMIN, False),
        # Deny wins: who may do nothing may not approve by name either.
        (Rule(people=(OTHER,)), OTHER, Level.NONE, False),
        (Rule(level=Level.VIEWER), OTHER, Level.NONE, False),
    ],
)
def test_a_vote_counts_by_level_or_by_name(
    rule: Rule, voter: UserID, level: Level, *, counts: bool
) -> None:
    assert rule.lets(voter, level, ASKER) is counts


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
    ("settings", "mistake"),
    [
        ({"tools": {"say_somethin": {}}}, "approvals.tools.say_somethin: is no tool"),
        ({"people": ["@a:b.org"], "quorum": 2}, "needs 2 people, but only 1 may"),
        (
            {"quorum": 2, "tools": {"say_something": {"people": ["@a:b.org"]}}},
            "say_something needs 2 people",
        ),
        ({"freeze": ["mon-fri", "sat-sun"]}, "leave no moment of the week"),
    ],
)
def test_rules_that_can_never_be_met_are_mistakes(settings: Any, mistake: str) -> None:
    with pytest.raises(SettingsError, match=mistake):
        rules(**settings).expect_known([changing()])


@pytest.mark.parametrize(
    "settings",
    [
        {"level": "none"},
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
    bound = bound_to("restart", {"a": 1, "b": [2]}, plan)

    assert bound == bound_to("restart", {"b": [2], "a": 1}, plan)
    assert bound != bound_to("restart", {"a": 1, "b": [3]}, plan)
    assert bound != bound_to("stop", {"a": 1, "b": [2]}, plan)
    assert bound != bound_to("restart", {"a": 1, "b": [2]}, Plan(target="web", steps=["kills it"]))
    assert bound == bound_to(
        "restart", {"a": 1, "b": [2]}, Plan(target="web", steps=["runs it"], look="status")
    )
