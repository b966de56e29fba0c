"""Rules for some tools: which of them wins, what it asks, and what it hides."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lycatra_appservice.errors import NotAllowedError, SettingsError, UnknownToolError
from lycatra_appservice.matrix.standing import NOWHERE, Standing
from lycatra_appservice.model import Caller, Face, Level, RoomID, UserID
from lycatra_appservice.settings import Permission
from lycatra_appservice.toolkit.access import Access, Decision
from lycatra_appservice.toolkit.base import Namespace
from lycatra_appservice.toolkit.permissions import Permissions
from lycatra_appservice.toolkit.registry import Registry
from lycatra_appservice.words.catalogue import in_english
from tests.support.toolbench import Lists, a_tool, bench, echo

ROOM = RoomID("!ops")
CHIEF, CREW = UserID("@chief:example.org"), UserID("@crew:example.org")
ANYONE, STRANGER = UserID("@anyone:example.org"), UserID("@stranger:elsewhere.org")
LISTS = Lists(admin=[CHIEF], operator=[CREW], viewer=["*:example.org"], none=["@out:example.org"])
REGISTRY = Registry(
    [
        Namespace(name=name, display_name=name, summary="Tools of the tests.")
        for name in ("logs", "services")
    ],
    {
        "logs": [a_tool(name="search_logs", level=Level.OPERATOR), a_tool(name="count_lines")],
        "services": [a_tool(name="get_status")],
    },
)


def rule(*tools: str, **what: object) -> Permission:
    return Permission.model_validate({"tools": tools, **what})


def decide(
    rules: Sequence[Permission],
    user: UserID,
    tool: str,
    face: Face = Face.COMMAND,
    standing: Standing = NOWHERE,
) -> Decision:
    found = REGISTRY.tool(tool)
    assert found is not None
    access = Access(LISTS, Permissions(rules, REGISTRY))
    return access.may(Caller(user_id=user, face=face), found, standing)


def those_who_may(rules: Sequence[Permission], tool: str, face: Face = Face.COMMAND) -> list[str]:
    people = (CHIEF, CREW, ANYONE, STRANGER, UserID("@out:example.org"))
    return [
        user[1:].partition(":")[0] for user in people if decide(rules, user, tool, face).allowed
    ]


@pytest.mark.parametrize(
    ("rules", "may"),
    [
        ([], ["chief", "crew"]),
        ([rule("search_logs", level="viewer")], ["chief", "crew", "anyone"]),
        ([rule("search_logs", level="admin")], ["chief"]),
        ([rule("logs", level="admin")], ["chief"]),
        ([rule("*", level="admin")], ["chief"]),
        ([rule("services", level="admin")], ["chief", "crew"]),
        # A list is exactly those on it, whatever their level, but for who is denied.
        ([rule("search_logs", who=[STRANGER])], ["stranger"]),
        ([rule("search_logs", who=["*"])], ["chief", "crew", "anyone", "stranger"]),
        ([rule("search_logs", who=["@out:example.org"])], []),
        ([rule("search_logs", who=[])], []),
        # The tool before its namespace before everything, in whatever order they are written.
        ([rule("*", level="viewer"), rule("search_logs", level="admin")], ["chief"]),
        ([rule("search_logs", level="admin"), rule("*", level="viewer")], ["chief"]),
        ([rule("logs", level="viewer"), rule("*", level="admin")], ["chief", "crew", "anyone"]),
        ([rule("logs", level="admin"), rule("search_logs", who=[STRANGER])], ["stranger"]),
        # For some faces before for all.
        (
            [rule("search_logs", level="admin"), rule("search_logs", faces="command", who=["*"])],
            ["chief", "crew", "anyone", "stranger"],
        ),
        ([rule("search_logs", level="admin", faces="mcp,agent")], ["chief", "crew"]),
        (
            [rule("logs", level="admin", faces="command"), rule("search_logs", level="viewer")],
            ["chief", "crew", "anyone"],
        ),
    ],
)
def test_the_most_specific_rule_says_who_may(rules: list[Permission], may: list[str]) -> None:
    assert those_who_may(rules, "search_logs") == may


def test_a_rule_for_some_faces_holds_on_those_alone() -> None:
    rules = [rule("get_status", faces=["mcp"], level="admin")]

    assert those_who_may(rules, "get_status", Face.MCP) == ["chief"]
    for face in (Face.COMMAND, Face.AGENT):
        assert those_who_may(rules, "get_status", face) == ["chief", "crew", "anyone"]


@pytest.mark.parametrize(
    ("standing", "allowed"),
    [
        (Standing(room_id=ROOM, is_joined=True), True),
        (Standing(room_id=ROOM, is_joined=False), False),
        (Standing.unknown(ROOM), False),
        (Standing(room_id=RoomID("!other"), is_joined=True), False),
        (NOWHERE, False),
    ],
)
def test_a_list_of_a_rule_may_name_the_members_of_a_room(
    standing: Standing, allowed: bool
) -> None:
    rules = [rule("search_logs", who=[f"room:{ROOM}"])]

    assert decide(rules, STRANGER, "search_logs", standing=standing).allowed is allowed


def test_a_tool_hidden_without_more_is_unknown_to_everybody() -> None:
    for user in (CHIEF, CREW, ANYONE, STRANGER):
        decision = decide([rule("search_logs", hidden=True)], user, "search_logs")
        assert decision.hidden
        assert not decision.allowed
        assert decision.why == decision.who_could == ""


@pytest.mark.parametrize("more", [{"level": "operator"}, {"who": [CHIEF, CREW]}])
def test_a_tool_hidden_with_a_level_or_list_is_unknown_to_the_others(
    more: dict[str, object],
) -> None:
    rules = [rule("logs", hidden=True, **more)]

    assert those_who_may(rules, "search_logs") == ["chief", "crew"]
    assert decide(rules, ANYONE, "search_logs").hidden
    assert not decide(rules, ANYONE, "get_status").hidden


@pytest.mark.parametrize(
    ("rules", "why", "who"),
    [
        (
            [rule("search_logs", who=[CHIEF])],
            "`search_logs` is kept for certain people, and you are none of them here.",
            "These could do it: @chief:example.org.",
        ),
        (
            [rule("search_logs", who=[f"room:{ROOM}"])],
            "`search_logs` is kept for certain people, and you are none of them here.",
            "Members of `!ops` could do it, in that room.",
        ),
        (
            [rule("count_lines", level="viewer"), rule("search_logs", who=[])],
            "`search_logs` is kept for certain people, and you are none of them here.",
            "Nobody here may: whoever runs this service decides that by `permissions.1` in its "
            "configuration.",
        ),
        (
            [rule("search_logs", level="admin")],
            "`search_logs` needs an admin, and you are a viewer here.",
            "These could do it: @chief:example.org.",
        ),
    ],
)
def test_who_is_kept_from_a_tool_by_a_rule_reads_who_could(
    rules: list[Permission], why: str, who: str
) -> None:
    decision = decide(rules, ANYONE, "search_logs")

    assert in_english(decision.why) == why
    assert in_english(decision.who_could) == who


@pytest.mark.parametrize(
    ("rules", "problem"),
    [
        (
            [rule("logs", level="admin"), rule("*", "logs", who=[])],
            "permissions.1.tools: permissions.0 has a rule for 'logs' on the same faces already",
        ),
        (
            [rule("*", faces=["mcp"], level="admin"), rule("*", faces=["mcp", "agent"], who=[])],
            "permissions.1.tools: permissions.0 has a rule for '*' on the same faces already",
        ),
    ],
)
def test_rules_that_contradict_each_other_are_refused(
    rules: list[Permission], problem: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        Permissions(rules, REGISTRY)
    [found] = caught.value.problems
    assert found.startswith(problem)


names = st.sampled_from(["search_logs", "count_lines", "get_status", "logs", "services", "*"])
some_rules = st.builds(
    lambda tools, faces, what: rule(*tools, faces=faces, **what),
    st.lists(names, min_size=1, max_size=2, unique=True),
    st.lists(st.sampled_from(list(Face)), min_size=1, max_size=3, unique=True),
    st.sampled_from(
        [
            {"level": "viewer"},
            {"level": "admin"},
            {"who": []},
            {"who": [STRANGER]},
            {"who": ["*"]},
            {"who": [CHIEF], "hidden": True},
            {"hidden": True},
        ]
    ),
)


@settings(deadline=None, max_examples=300)
@given(
    st.lists(some_rules, max_size=4),
    st.sampled_from([CHIEF, CREW, ANYONE, STRANGER, UserID("@out:example.org")]),
    st.sampled_from([tool.name for tool in REGISTRY.tools]),
    st.sampled_from(list(Face)),
)
def test_whatever_the_rules_denied_people_may_nothing_and_one_rule_decides(
    rules: list[Permission], user: UserID, tool: str, face: Face
) -> None:
    try:
        decision = decide(rules, user, tool, face)
    except SettingsError:
        return  # two for the same: told at the start

    home = REGISTRY.namespace_of(tool).name
    fitting = [
        (("*", home, tool).index(name), len(each.faces) < 3, each)
        for each in rules
        for name in each.tools
        if name in {"*", home, tool} and face.value in each.faces
    ]
    assert not (user == "@out:example.org" and decision.allowed)
    if fitting:
        _, _, winner = max(fitting, key=lambda item: item[:2])
        assert decision.needs.is_secret == winner.hidden
        if winner.who is not None:
            on_it = user in winner.who or "*" in winner.who
            assert decision.allowed == (on_it and user != "@out:example.org")
    else:
        assert decision.needs.rule is None


async def test_a_hidden_tool_looks_unknown_on_every_face_to_who_may_not_use_it() -> None:
    tools = [a_tool(run=echo), a_tool(name="hum_tune", run=echo)]
    hidden = rule("hum_tune", level="operator", hidden=True)
    async with bench(tools, rules=[hidden]) as on:
        for face in Face:
            toolbox = await on.gate.open(Caller(user_id=ANYONE, face=face))
            assert [tool.name for tool in toolbox.tools()] == ["say_something"]
            assert toolbox.known_names() == ("say_something",)
            with pytest.raises(UnknownToolError):
                toolbox.tool("hum_tune")
        operator = Caller(user_id=UserID("@operator:example.org"), face=Face.AGENT)
        toolbox = await on.gate.open(operator)
        assert (await toolbox.call("hum_tune", {"text": "la"})).markdown == "la"


async def test_a_tool_may_be_kept_from_models_and_be_there_as_a_command() -> None:
    async with bench([a_tool(run=echo)], rules=[rule("testing", faces=["agent"], who=[])]) as on:
        asked = await on.gate.open(Caller(user_id=ANYONE, face=Face.AGENT))
        assert asked.tools() == ()
        with pytest.raises(NotAllowedError):
            await asked.call("say_something", {})
        assert (await on.toolbox(ANYONE).call("say_something", {"text": "x"})).markdown == "x"
