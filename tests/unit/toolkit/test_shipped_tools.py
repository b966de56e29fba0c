"""All tools that ship: rules that hold for each, and for all of them together."""

import json
from itertools import combinations

from lycatra_appservice.model import Level
from lycatra_appservice.toolkit.base import Effect
from lycatra_appservice.toolkit.discovery import discover
from lycatra_appservice.toolkit.lint import lint_tool

CHARACTERS_PER_TOKEN = 3.5


def test_the_shipped_namespaces_and_tools_are_found() -> None:
    registry = discover()
    assert [each.name for each in registry.namespaces] == ["assistant", "services", "updates"]
    assert {"get_service_status", "help", "list_updates"} <= {t.name for t in registry.tools}


def test_every_shipped_tool_passes_the_lint() -> None:
    assert {tool.name: lint_tool(tool) for tool in discover().tools} == {
        tool.name: [] for tool in discover().tools
    }


def test_what_a_viewer_may_use_only_reads() -> None:
    viewers = [tool for tool in discover().tools if tool.level is Level.VIEWER]
    assert all(tool.effect is Effect.READ for tool in viewers)


def test_all_tools_together_cost_a_prompt_little() -> None:
    offered = [
        {"name": t.name, "description": t.summary, "parameters": dict(t.schema())}
        for t in discover().tools
    ]
    assert len(json.dumps(offered)) / CHARACTERS_PER_TOKEN < 1500


def test_no_two_summaries_say_nearly_the_same() -> None:
    words = {tool.name: set(tool.summary.lower().split()) for tool in discover().tools}
    for (one, first), (other, second) in combinations(words.items(), 2):
        overlap = len(first & second) / len(first | second)
        assert overlap < 0.5, (one, other)
