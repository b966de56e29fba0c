"""All tools that ship: rules that hold for each, and for all of them together."""

import json
from datetime import UTC, datetime
from itertools import combinations
from zoneinfo import ZoneInfo

from lycatra_appservice.agent.prompt import Question, system_message
from lycatra_appservice.agent.specs import Specs
from lycatra_appservice.agent.wire import tools_on_wire
from lycatra_appservice.model import Level, UserID
from lycatra_appservice.toolkit.base import Effect
from lycatra_appservice.toolkit.discovery import discover
from lycatra_appservice.toolkit.lint import lint_tool
from lycatra_appservice.toolkit.own.found import FoundTools

CHARACTERS_PER_TOKEN = 3.5
SHIPPED = ["assistant", "docs", "logs", "metrics", "services", "updates"]


def test_the_shipped_namespaces_and_tools_are_found() -> None:
    registry = discover()
    assert [each.name for each in registry.namespaces] == SHIPPED
    assert {"get_service_status", "help", "list_updates"} <= {t.name for t in registry.tools}


def test_every_shipped_tool_passes_the_lint() -> None:
    assert {tool.name: lint_tool(tool) for tool in discover().tools} == {
        tool.name: [] for tool in discover().tools
    }


def test_what_a_viewer_may_use_only_reads() -> None:
    viewers = [tool for tool in discover().tools if tool.level is Level.VIEWER]
    assert all(tool.effect is Effect.READ for tool in viewers)


def test_prompt_and_tools_together_cost_a_small_window_little() -> None:
    """The tools that work without any configuration; of more, some are chosen."""
    asked = Question(
        text="What is new?",
        asker=UserID("@somebody-with-a-long-name:matrix.example.org"),
        display_name="Somebody with a long name",
        now=datetime(2026, 11, 22, 12, 0, tzinfo=UTC),
        zone=ZoneInfo("America/Argentina/Buenos_Aires"),
        room_name="A room about everything that we run",
        rights="operator",
    )
    specs = Specs()
    sections = {each.name: each.settings() for each in discover().namespaces}
    at_work = FoundTools(registry=discover()).at_work(sections).registry
    sent = tools_on_wire([specs.of(tool) for tool in at_work.tools], strict=False)
    prompt = system_message(asked, "Lycatra").text
    tokens = (len(prompt) + len(json.dumps(sent))) / CHARACTERS_PER_TOKEN
    assert tokens <= 1500  # of a window of 4096 some are chosen, of twice that none is


def test_no_two_summaries_say_nearly_the_same() -> None:
    words = {tool.name: set(tool.summary.lower().split()) for tool in discover().tools}
    for (one, first), (other, second) in combinations(words.items(), 2):
        overlap = len(first & second) / len(first | second)
        assert overlap < 0.5, (one, other)
