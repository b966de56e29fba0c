"""What a person reads who asks for help."""

import pytest

from lycatra_appservice.errors import InvalidArgumentsError
from lycatra_appservice.model import Level
from lycatra_appservice.toolkit.base import Namespace
from lycatra_appservice.toolkit.discovery import discover
from lycatra_appservice.toolkit.own.found import FoundTools
from lycatra_appservice.toolkit.registry import Registry
from lycatra_appservice.tools.assistant.help import TOOL
from tests.support.toolbench import OPERATOR, VIEWER, a_tool, bench

POTS = Namespace(name="pots", display_name="Pots", summary="Pots and lids.")


async def test_help_for_the_shipped_tools_is_short_and_has_an_example_of_each() -> None:
    sections = {each.name: each.settings() for each in discover().namespaces}
    shipped = FoundTools(registry=discover()).at_work(sections).registry
    async with bench(registry=shipped) as on:
        result = await on.toolbox().call("help", {})

    lines = result.markdown.splitlines()
    assert len(lines) <= 12
    assert [line for line in lines if line.startswith("- ")] == [
        "- **assistant**: `!recall router` "
        "Tells or forgets the facts that people here asked to remember",
        "- **assistant**: `!remember the router is in the cellar` "
        "Keeps a fact for this room, when a person asks for it",
        "- **assistant**: `!remind me tomorrow 9:00 water the plants` "
        "Reminds the person who asks, or lists reminders",
        "- **docs**: `!read doc docs://lycatra/ROOMS` "
        "Reads a text or a section of it, by the name from search_docs",
        "- **docs**: `!search docs reset the conversation` Finds what the documents say",
        "- **services**: `!get service status` Checks now whether services are up",
        "- **updates**: `!list updates since=7` "
        "Lists new releases, deployments and changes, newest first",
    ]
    spaces = result.data["namespaces"]
    assert [each["name"] for each in spaces] == [*("assistant", "docs", "services", "updates")]
    assert spaces[2]["tools"][0]["example"] == "!get service status"


async def test_help_shows_each_person_their_own_tools() -> None:
    assistant = discover().namespace("assistant")
    assert assistant is not None
    registry = Registry(
        [assistant, POTS],
        {"assistant": [TOOL], "pots": [a_tool(name="break_pot", level=Level.OPERATOR)]},
    )
    async with bench(registry=registry) as on:
        for_viewer = await on.toolbox(VIEWER).call("help", {})
        for_operator = await on.toolbox(OPERATOR).call("help", {})

    assert "break" not in for_viewer.markdown
    assert "There is no command that you may use here yet." in for_viewer.markdown
    assert "`!break pot`" in for_operator.markdown


async def test_help_takes_no_arguments() -> None:
    async with bench(registry=discover()) as on:
        with pytest.raises(InvalidArgumentsError, match="this tool takes no arguments"):
            await on.toolbox().call("help", {"topic": "updates"})
