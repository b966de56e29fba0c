from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lycatra_appservice.agent.backend import ToolSpec
from lycatra_appservice.agent.choice import Entry, by_words, listed, named_in
from lycatra_appservice.agent.specs import Specs, chars_of_tool, slimmed
from tests.support.sixty_tools import sixty_tools
from tests.unit.agent.support import Offered

WORDS = "One of the many things that can be said about this. " * 4
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "owner": {"type": "string", "description": WORDS},
        "labels": {"type": "array", "items": {"type": "string", "description": WORDS}},
        "state": {"type": "string", "enum": ["open", "closed"], "description": WORDS},
    },
    "required": ["owner"],
}
TOOL = ToolSpec(name="list_issues", description=WORDS, schema=SCHEMA)


@given(room=st.integers(0, 2500))
def test_a_tool_has_as_much_of_its_schema_as_there_is_room_for(room: int) -> None:
    slim = slimmed(TOOL, room)
    least = slimmed(TOOL, 0)
    assert chars_of_tool(slim) <= max(room, chars_of_tool(least))
    assert "owner" in slim.schema["properties"]
    assert slim.schema["required"] == ["owner"]
    if room >= chars_of_tool(TOOL):
        assert slim == TOOL


def test_names_and_choices_stay_longer_than_words() -> None:
    slim = slimmed(TOOL, chars_of_tool(TOOL) - 1)
    assert slim.schema["properties"]["state"] == {"type": "string", "enum": ["open", "closed"]}
    assert slim.description == WORDS


def test_a_spec_is_made_once_and_anew_when_the_tool_has_changed() -> None:
    [tool, *_] = sixty_tools()
    specs = Specs()
    assert specs.of(tool) is specs.of(tool)
    assert specs.of(Offered("a", summary="One.")) != specs.of(Offered("a", summary="Another."))


@given(room=st.integers(0, 4000))
def test_a_list_to_choose_from_keeps_to_its_room(room: int) -> None:
    entries = [Entry(name=each.name, summary=each.summary) for each in sixty_tools()]
    text = listed(entries, room)
    assert text.startswith("- list_branches")
    assert len(text) <= max(room, 200)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Services, then updates; services.", ("services", "updates")),
        ("list_updates", ()),
        ("update", ()),
        ('["updates"]', ("updates",)),
    ],
)
def test_names_are_whole_words(text: str, found: tuple[str, ...]) -> None:
    assert named_in(text, ["updates", "services"]) == found


def test_words_that_everybody_has_decide_nothing() -> None:
    entries = [
        Entry(name="updates", summary="What was deployed on the servers."),
        Entry(name="services", summary="Which of the servers are up."),
    ]
    assert by_words("What has been deployed to my servers?", entries)[0] == "updates"
    assert by_words("Hello there", entries) == []
