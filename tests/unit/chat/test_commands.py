"""Words to tools and their arguments."""

import json
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lycatra_appservice.chat.commands import (
    Command,
    CommandWords,
    UnclearArguments,
    UnknownCommand,
)
from lycatra_appservice.chat.control import ControlWord, Steering
from lycatra_appservice.model import JSON
from lycatra_appservice.toolkit.base import ONLY_BY_NAME, Field, ToolArgs
from lycatra_appservice.words.catalogue import in_english
from tests.support.toolbench import a_tool
from tests.unit.chat.conversing import COMMANDS, TOOLS, NoArgs


def arguments_of(words: str) -> Mapping[str, JSON]:
    parsed = COMMANDS.parse(words)
    assert isinstance(parsed, Command), parsed
    return parsed.arguments


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("!list updates", "list updates"),
        ("/list updates", "list updates"),
        ("  !help", "help"),
        ("\n!help", "help"),
        ("!help?", "help?"),
        ("!hélp", "hélp"),
        ("!помощь", "помощь"),
        ("/me waves", "me waves"),
        ("!", None),
        ("! help", None),
        ("!!", None),
        ("!!help", None),
        ("/!help", None),
        ("//help", None),
        ("!1", None),
        ("!1st", None),
        ("!_x", None),
        ("!=", None),
        ("!\U0001f44d", None),
        ("/etc/hosts is wrong", None),
        ("/C\\x", None),
        ("help", None),
        ("say !help", None),
        ("`!help`", None),
        ("> !help", None),
        ("", None),
    ],
)
def test_a_command_is_a_prefix_with_a_word(body: str, words: str | None) -> None:
    assert COMMANDS.without_prefix(body) == words
    assert COMMANDS.begins_command(body) is (words is not None)


def test_a_longer_prefix_goes_before_a_shorter_one() -> None:
    commands = CommandWords(TOOLS, ("!", "!!", "§"))

    assert commands.without_prefix("!!help") == "help"
    assert commands.without_prefix("!help") == "help"
    assert commands.without_prefix("§help") == "help"
    assert commands.without_prefix("/help") is None


@pytest.mark.parametrize(
    ("words", "tool"),
    [
        ("list updates", "list_updates"),
        ("list_updates", "list_updates"),
        ("list-updates", "list_updates"),
        ("List Updates", "list_updates"),
        ("LIST   updates", "list_updates"),
        ("list\nupdates", "list_updates"),
        ("list updates?", "list_updates"),
        ("list updates.", "list_updates"),
        ("updates list", "list_updates"),
        ("updates_list", "list_updates"),
        ("get service status", "get_service_status"),
        ("get_service_status", "get_service_status"),
        ("service status", "get_service_status"),
        ("health", "get_service_status"),
        ("get uptime", "get_uptime"),
        ("search docs x", "search_docs"),
        ("docs search x", "search_docs"),
    ],
)
def test_a_tool_is_called_by_all_its_names(words: str, tool: str) -> None:
    parsed = COMMANDS.parse(words)

    assert isinstance(parsed, Command)
    assert parsed.tool == tool


@pytest.mark.parametrize(
    "words", ["list", "updates", "get", "get service", "services get", "summary", "list_updates_x"]
)
def test_what_could_be_several_tools_or_none_is_no_command(words: str) -> None:
    assert isinstance(COMMANDS.parse(words), UnknownCommand)


@pytest.mark.parametrize(
    ("words", "meant"), [("list", "list_updates"), ("get", "get_service_status")]
)
def test_the_beginning_of_a_name_is_told_how_it_goes_on(words: str, meant: str) -> None:
    parsed = COMMANDS.parse(words)
    assert isinstance(parsed, UnknownCommand)
    assert meant in parsed.suggestions


def test_a_tools_own_name_is_stronger_than_anothers_other_name() -> None:
    tools = {
        "docs": [a_tool(name="search_docs", args=NoArgs, also_called=("get uptime",))],
        "services": [a_tool(name="get_uptime", args=NoArgs)],
    }

    assert CommandWords(tools, "!").parse("get uptime") == Command("get_uptime", {})


def test_a_reserved_word_alone_calls_no_tool() -> None:
    tools = {
        "services": [
            a_tool(name="stop_service", args=NoArgs, also_called=("status", "reset it")),
            a_tool(name="help", args=NoArgs),
        ]
    }
    commands = CommandWords(tools, "!")

    for words in ("stop", "status", "help", "stop now"):
        assert not commands.calls_a_tool(words)
        assert not commands.calls_a_tool(words, "services")
    for words in ("stop service", "services stop", "reset it"):
        assert commands.parse(words) == Command("stop_service", {})
        assert commands.control(words) is None


@pytest.mark.parametrize(
    ("words", "steering"),
    [
        ("help", Steering(ControlWord.HELP)),
        ("HELP?", Steering(ControlWord.HELP)),
        ("help updates", Steering(ControlWord.HELP, "updates")),
        ("help  list\nupdates ", Steering(ControlWord.HELP, "list\nupdates")),
        ("settings reply plain", Steering(ControlWord.SETTINGS, "reply plain")),
        ("settings: reply=plain", Steering(ControlWord.SETTINGS, "reply=plain")),
        ("whoami", Steering(ControlWord.WHOAMI)),
        ("stop!", Steering(ControlWord.STOP)),
        ("stop !", Steering(ControlWord.STOP)),
        ("reset", Steering(ControlWord.RESET)),
        # These take no words: somebody means something else.
        ("stop nginx", None),
        ("reset the router", None),
        ("whoami really", None),
        ("helpful", None),
        ("help/updates", None),
        ("status", None),
        ("approve K7QF", Steering(ControlWord.APPROVE, "K7QF")),
        ("deny", Steering(ControlWord.DENY)),
        ("approve the budget", None),
        ("", None),
        (" ", None),
    ],
)
def test_a_control_word_is_read_with_what_follows_it(
    words: str, steering: Steering | None
) -> None:
    assert COMMANDS.control(words) == steering


def test_a_namespace_of_two_words_is_called_by_both() -> None:
    commands = CommandWords({"web_shop": [a_tool(name="list_orders", args=NoArgs)]}, "!")

    assert commands.parse("web shop list") == Command("list_orders", {})


@pytest.mark.parametrize(
    ("words", "namespace", "tool"),
    [
        ("list", "updates", "list_updates"),
        ("list updates", "updates", "list_updates"),
        ("updates list", "updates", "list_updates"),
        ("List!", "updates", "list_updates"),
        ("health", "services", "get_service_status"),
        ("manual", "docs", "search_docs"),
    ],
)
def test_to_its_own_user_a_short_word_is_enough(words: str, namespace: str, tool: str) -> None:
    assert COMMANDS.is_command(words, namespace)
    parsed = COMMANDS.parse(words, namespace)
    assert isinstance(parsed, UnclearArguments) or (
        isinstance(parsed, Command) and parsed.tool == tool
    )


@pytest.mark.parametrize(
    ("words", "namespace"),
    [
        ("get", "services"),  # two tools begin with it
        ("list updates of the web shop", "updates"),
        ("list limit=3", "updates"),
        ("what is new", "updates"),
        ("health", "updates"),
        ("list", "nowhere"),
        ("", "updates"),
        ("list", None),
    ],
)
def test_a_sentence_is_no_exact_command(words: str, namespace: str | None) -> None:
    assert not COMMANDS.is_command(words, namespace)


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("", {}),
        ("shop", {"service": "shop"}),
        ("Shop", {"service": "Shop"}),
        # A number or a day goes where numbers and days go, wherever it stands.
        ("7", {"since": "7"}),
        ("2026-11-01", {"since": "2026-11-01"}),
        ("shop 7", {"service": "shop", "since": "7"}),
        ("7 shop", {"service": "shop", "since": "7"}),
        ("7 20", {"since": "7", "limit": "20"}),
        ("shop 7 20 login", {"service": "shop", "since": "7", "limit": "20", "query": "login"}),
        ("-7", {"service": "-7"}),
        # What is left over belongs to the last text.
        ("shop login page error", {"service": "shop", "query": "login page error"}),
        ('"web shop" login', {"service": "web shop", "query": "login"}),
        ("'web shop' login", {"service": "web shop", "query": "login"}),
        ("“web shop” login", {"service": "web shop", "query": "login"}),
        ("limit=3", {"limit": "3"}),
        ("Limit=3", {"limit": "3"}),
        ("limit=3 shop", {"limit": "3", "service": "shop"}),
        ("shop limit=3", {"limit": "3", "service": "shop"}),
        ('service="web shop" limit=3', {"service": "web shop", "limit": "3"}),
        ("service='web shop'", {"service": "web shop"}),
        ("query=", {"query": ""}),
        ('query=""', {"query": ""}),
        ("query=a=b", {"query": "a=b"}),
        ("limit=3 limit=4", {"limit": "4"}),
        ("service=shop 7 login", {"service": "shop", "since": "7", "query": "login"}),
        # A misspelt key in front is a misspelt key, further back it may be a text.
        ("limmit=3", {"limmit": "3"}),
        ("shop a=b", {"service": "shop", "query": "a=b"}),
        ('shop a="b c"', {"service": "shop", "query": 'a="b c"'}),
        ("https://x.org/?a=b", {"service": "https://x.org/?a=b"}),
        ("shop what's new", {"service": "shop", "query": "what's new"}),
        ("don't can't won't", {"service": "don't", "query": "can't won't"}),
        ("'tis it", {"service": "'tis", "query": "it"}),
        ('19" rack', {"service": '19"', "query": "rack"}),
        ('"web shop', {"service": '"web', "query": "shop"}),
        (r'"say \"hi\" \\ \n"', {"service": r'say "hi" \ \n'}),
        (r"C:\temp", {"service": r"C:\temp"}),
        ("\U0001f6d2 größe", {"service": "\U0001f6d2", "query": "größe"}),
        ('{"limit": 3, "service": "shop"}', {"limit": 3, "service": "shop"}),
        ('{"nested": {"a": [1, null]}}', {"nested": {"a": [1, None]}}),
        ("{}", {}),
    ],
)
def test_arguments_are_read_by_place_by_name_or_as_json(
    text: str, arguments: Mapping[str, JSON]
) -> None:
    assert arguments_of(f"list updates {text}") == arguments


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        # What must be given comes first, whatever it looks like.
        ("500", {"query": "500"}),
        ("disk 48", {"query": "disk", "hours": "48"}),
        ("disk 9999", {"query": "disk 9999"}),
        ("disk error", {"query": "disk", "level": "error"}),
        ("disk true", {"query": "disk", "follow": "true"}),
        ("disk 0.5", {"query": "disk", "share": "0.5"}),
        ("disk 4.5", {"query": "disk 4.5"}),
        ("disk is full", {"query": "disk is full"}),
        ("48 hours=7 disk", {"query": "48 disk", "hours": "7"}),
    ],
)
def test_a_required_argument_is_filled_first(text: str, arguments: Mapping[str, JSON]) -> None:
    assert arguments_of(f"search docs {text}") == arguments


def test_a_tool_with_one_text_takes_all_words() -> None:
    assert arguments_of("health web shop 2") == {"service": "web shop 2"}


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("get uptime me", "`me`"),
        ("get uptime 3", "`3`"),
        ("get uptime `x` @room\n#", "`'x'`"),
        ("list updates {", "JSON"),
        ('list updates {"limit": 3', "JSON"),
        ('list updates {"limit": 3} 4', "JSON"),
        ("list updates {limit: 3}", "JSON"),
        ('list updates {"a":' * 2000, "JSON"),
        ('list updates {"limit": ' + "9" * 5000 + "}", "JSON"),
    ],
)
def test_what_cannot_be_arguments_is_told_with_an_example(words: str, problem: str) -> None:
    parsed = COMMANDS.parse(words)

    assert isinstance(parsed, UnclearArguments)
    assert problem in in_english(parsed.problem)
    assert isinstance(COMMANDS.parse(parsed.example), Command)


@pytest.mark.parametrize(
    ("words", "suggestions"),
    [
        ("list update", ["list_updates"]),
        ("lst updates", ["list_updates"]),
        ("listupdates", ["list_updates"]),
        ("get servce status now", ["get_service_status"]),
        ("helo", ["help"]),
        ("stp", ["stop"]),
        ("seting", ["settings"]),
        ("halth", ["get_service_status"]),
        ("xyzzy", []),
        ("?", []),
        ("", []),
    ],
)
def test_a_misspelt_command_is_answered_with_what_may_be_meant(
    words: str, suggestions: Sequence[str]
) -> None:
    parsed = COMMANDS.parse(words)

    assert isinstance(parsed, UnknownCommand)
    assert list(parsed.suggestions)[:1] == suggestions


def test_what_is_repeated_of_an_unknown_command_is_short_and_plain() -> None:
    parsed = COMMANDS.parse("nothing `like`\nthis [x](https://x.org) " + "x" * 1000)

    assert isinstance(parsed, UnknownCommand)
    assert len(parsed.words) < 50
    assert "`" not in parsed.words
    assert "\n" not in parsed.words


VALUES = st.text(max_size=30)


@given(st.fixed_dictionaries({}, optional={"service": VALUES, "query": VALUES, "other": VALUES}))
def test_arguments_by_name_arrive_as_they_were_written(values: Mapping[str, str]) -> None:
    quoted = {k: v.replace("\\", "\\\\").replace('"', '\\"') for k, v in values.items()}
    text = " ".join(f'{name}="{value}"' for name, value in quoted.items())

    assert arguments_of(f"list updates {text}") == values


@given(st.dictionaries(st.text(max_size=9), st.one_of(st.text(), st.integers(), st.none())))
def test_arguments_in_json_arrive_as_they_were_written(values: Mapping[str, JSON]) -> None:
    assert arguments_of(f"list_updates {json.dumps(values)}") == values


PIECES = st.sampled_from(
    ["list", "updates", "help", "limit=", "=", '"', "'", "“", "”", "\\", "{", "}", " ", "\n", "_"]
)


@given(st.lists(st.one_of(PIECES, st.text(max_size=9))), st.sampled_from([None, "updates", "x"]))
def test_any_words_can_be_read(pieces: Sequence[str], namespace: str | None) -> None:
    words = "".join(pieces)

    parsed = COMMANDS.parse(words, namespace)

    assert isinstance(parsed, UnknownCommand) is not COMMANDS.calls_a_tool(words, namespace)
    json.dumps(parsed.arguments if isinstance(parsed, Command) else None)


@pytest.mark.parametrize(
    "piece", ["a ", '"', '"a ', '"\\', "“", "'", "a=", "_", "{", "!", "list "]
)
def test_words_as_many_as_can_be_are_read_like_any_others(piece: str) -> None:
    # What grew with the square of the length would take minutes here.
    words = "list updates " + piece * 30_000

    assert not isinstance(COMMANDS.parse(words), UnknownCommand)
    assert COMMANDS.parse(piece * 30_000)


class NumberedArgs(ToolArgs):
    about: str = Field(default="", max_length=100, description="Words.")
    forget: int | None = Field(
        default=None, ge=1, le=99, description="Which.", json_schema_extra=ONLY_BY_NAME
    )


def test_an_argument_that_is_set_by_its_name_only_takes_no_word_that_stands_there() -> None:
    words = CommandWords({"rooms": [a_tool(name="recall_facts", args=NumberedArgs)]}, ["!"])

    def read(body: str) -> object:
        parsed = words.parse(body)
        return parsed.arguments if isinstance(parsed, Command) else parsed

    assert read("recall facts router 2") == {"about": "router 2"}
    assert read("recall facts 2") == {"about": "2"}
    assert read("recall facts router forget=2") == {"about": "router", "forget": "2"}


def test_other_tools_are_known_once_they_are_exchanged() -> None:
    commands = CommandWords({"peer": [a_tool(name="peer_add", args=NoArgs)]}, "!")

    commands.exchange(
        {"peer": [a_tool(name=name, args=NoArgs) for name in ("peer_sing", "peer_hide")]},
        {"peer_hide"},
    )

    assert commands.parse("peer sing") == Command("peer_sing", {})
    assert not commands.calls_a_tool("peer add")
    assert not commands.calls_a_tool("peer hide")
