"""Questions and the commands that answer them without a model: rather none than a wrong one."""

from collections.abc import Mapping, Sequence
from typing import Literal

import pytest

from lycatra_appservice.chat.commands import Command
from lycatra_appservice.chat.without_model import plain_questions
from lycatra_appservice.model import JSON
from lycatra_appservice.toolkit.base import Effect, Field, Namespace, ToolArgs
from lycatra_appservice.toolkit.discovery import discover
from lycatra_appservice.toolkit.registry import AnyTool, Registry
from tests.support.toolbench import a_tool
from tests.transcripts.transcript import Transcript, shipped

SHIPPED = discover()
MATCHING = plain_questions(SHIPPED)
UPDATES, STATUS = "list_updates", "get_service_status"


def matched(question: str, tools: Sequence[AnyTool] = SHIPPED.tools) -> Sequence[Command]:
    return list(MATCHING.commands_for(question, tools))


@pytest.mark.parametrize(
    ("question", "tool", "arguments"),
    [
        ("what updates are there?", UPDATES, {}),
        ("What is new?", UPDATES, {}),
        ("what's new this week?", UPDATES, {"since": "7"}),
        ("Hello, can you tell me what was deployed yesterday?", UPDATES, {"since": "1"}),
        ("what changed in the last 2 weeks?", UPDATES, {"since": "14"}),
        ("Show me the last 3 updates", UPDATES, {"limit": 3}),
        ("What is new in the wiki?", UPDATES, {"service": "wiki"}),
        ("updates", UPDATES, {}),
        ("Was ist diese Woche neu?", UPDATES, {"since": "7"}),
        ("Was gibt's Neues?", UPDATES, {}),
        ("Welche Änderungen gab es in den letzten 14 Tagen?", UPDATES, {"since": "14"}),
        ("Is everything running?", STATUS, {}),
        ("which services are down", STATUS, {}),
        ("Is the wiki up?", STATUS, {"service": "wiki"}),
        ("service status", STATUS, {}),
        ("Läuft alles?", STATUS, {}),
        ("Wie ist der Status?", STATUS, {}),
        ("Sind alle Dienste erreichbar?", STATUS, {}),
    ],
)
def test_a_plain_question_is_its_command(
    question: str, tool: str, arguments: Mapping[str, JSON]
) -> None:
    assert matched(question) == [Command(tool, arguments)]


@pytest.mark.parametrize(
    "said",
    [
        "",
        "hello",
        "good morning",
        "how are you?",
        "are you down?",
        "are you working?",
        "What's up?",
        "what is going on?",
        "ok?",
        "ok",
        "fine",
        "all good?",
        "thanks for the updates",
        "I have updates",
        "There are updates.",
        "no updates?",
        "is it working?",
        "Is that still running?",
        "Is it up again?",
        "And the ones before?",
        "who deployed the last release?",
        "why is the wiki down?",
        "how do I deploy an update?",
        "What is a release?",
        "What does status 503 mean?",
        "Any questions?",
        "tell me a joke",
        "what is the weather?",
        "I feel down",
        "wake up",
        "Wie geht's?",
        "Wie läuft's?",
        "Was läuft?",
        "Läuft!",
        "Läuft das?",
        "Geht das?",
        "Was ist das?",
        "Alles klar?",
        "Was ist ein Update?",
        "Wer hat das Update eingespielt?",
        "Das Wiki geht nicht. Hängt das mit einem Update zusammen?",
        "what was deployed yesterday and what today?",
    ],
)
def test_small_talk_and_what_needs_a_mind_are_nothing(said: str) -> None:
    assert matched(said) == []


@pytest.mark.parametrize(
    "order",
    [
        "restart the wiki",
        "Please restart all services",
        "Can the services be restarted?",
        "Starte bitte das Wiki neu.",
        "Update the shop",
        "Please update the shop",
        "delete the updates",
        "stop all services",
    ],
)
def test_an_order_is_never_taken_for_a_question(order: str) -> None:
    assert matched(order) == []


def test_a_question_of_many_words_is_not_looked_at_for_long() -> None:
    assert matched("what updates are there? " * 1000) == []


def _right(transcript: Transcript, command: Command) -> bool:
    """Whether the command is one of the calls that the transcript expects."""
    tool = SHIPPED.tool(command.tool)
    assert tool is not None
    given = tool.args.model_validate(command.arguments).model_dump(mode="json")
    defaults = {name: field.default for name, field in tool.args.model_fields.items()}
    return any(
        each.fits(given, defaults) for each in transcript.calls if each.call == command.tool
    )


# A word is taken for a service's name, which the tool refuses: then nothing was matched after all.
TAKEN_FOR_A_NAME = {
    "Which of our services is the slowest at the moment?",
    "Läuft gerade ein Deployment?",
    "Are all of our certificates fine?",
}
# Answered as well by the list of what was deployed from here.
ANSWERED_AS_WELL = {"What was deployed recently?"}


def test_of_the_transcripts_every_match_is_a_call_that_they_expect() -> None:
    found: dict[str, bool] = {}
    for each in shipped():
        if each.question in ANSWERED_AS_WELL:
            continue
        tools = SHIPPED.tools_of(each.only) if each.only else SHIPPED.tools
        for command in MATCHING.commands_for(each.question, tools):
            expected = {call.call for call in each.calls}
            assert command.tool in expected or each.question in TAKEN_FOR_A_NAME, each.question
            found[each.question] = _right(each, command)
    wrong = [question for question, is_right in found.items() if not is_right]

    assert len(found) >= 30
    assert {*wrong} == TAKEN_FOR_A_NAME


# Tools of one's own.


class NoArgs(ToolArgs):
    """Nothing to choose."""


class BackupArgs(ToolArgs):
    place: Literal["cellar", "cloud"] = Field(description="Which one.")


class OrderArgs(ToolArgs):
    number: str = Field(max_length=20, pattern="^[0-9]+$", description="Which one.")


OWN = Namespace(name="shop", display_name="Shop", summary="What the shop knows.")


def own(*tools: AnyTool) -> tuple[Registry, Sequence[AnyTool]]:
    registry = Registry([OWN], {"shop": tools})
    return registry, registry.tools


def test_a_word_that_is_one_of_the_choices_is_the_argument_and_without_it_nothing_is_run() -> None:
    registry, tools = own(
        a_tool(name="get_backup", args=BackupArgs, summary="Tells how old the backup is.")
    )
    matching = plain_questions(registry)
    asked = matching.commands_for("is the backup in the cellar old?", tools)
    assert asked == [Command("get_backup", {"place": "cellar"})]
    assert not matching.commands_for("is the backup old?", tools)


def test_two_that_fit_alike_are_both_named() -> None:
    registry, tools = own(
        a_tool(name="list_orders", args=NoArgs, summary="Lists the orders of today."),
        a_tool(name="search_orders", args=NoArgs, summary="Finds orders."),
    )
    found = plain_questions(registry).commands_for("which orders are there?", tools)
    assert [command.tool for command in found] == ["list_orders", "search_orders"]


def test_what_changes_something_is_never_matched_and_keeps_its_words() -> None:
    registry, tools = own(
        a_tool(name="empty_cart", args=NoArgs, effect=Effect.CHANGE, summary="Empties carts."),
        a_tool(name="list_carts", args=NoArgs, summary="Lists the carts that are empty."),
    )
    matching = plain_questions(registry)
    assert not matching.commands_for("which carts are empty?", tools)
    assert [each.tool for each in matching.commands_for("which carts are there?", tools)] == [
        "list_carts"
    ]


def test_an_argument_that_must_be_there_is_not_made_up() -> None:
    registry, tools = own(
        a_tool(name="get_order", args=OrderArgs, summary="Tells the state of an order.")
    )
    assert not plain_questions(registry).commands_for("is there any order?", tools)
