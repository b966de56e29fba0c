"""Rights that rest on a room, rules for tools, tools that look unknown: as people meet them."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from aiohttp import web

from lycatra_appservice.model import JSON, Level, RoomID, UserID
from lycatra_appservice.settings import Permission
from lycatra_appservice.toolkit.base import ToolContext, ToolResult
from tests.support.homeserver_stub import Failure
from tests.support.model_server import Asked, ModelServer, calls, says
from tests.support.scene import (
    EVERYBODY,
    MAIN,
    OTHER,
    OTHER_BOT,
    PERSON,
    ROOM,
    STRANGER,
    TOOLS,
    NoArgs,
    Scene,
    open_scene,
)
from tests.support.toolbench import Lists, StillClock, a_tool
from tests.support.turns import query

CREW = UserID("@crew:hs.test")
ELSEWHERE = RoomID("!elsewhere")
POWER: Mapping[str, JSON] = {"m.room.power_levels": {"users": {OTHER: 50}}}


async def search(args: NoArgs, ctx: ToolContext) -> ToolResult:
    return ToolResult(data={"lines": ["disk full"]}, markdown="disk full")


WITH_LOGS = {
    **TOOLS,
    "services": [
        a_tool(name="search_journal", run=search, args=NoArgs, level=Level.OPERATOR),
        a_tool(name="get_status", run=search, args=NoArgs),
    ],
}


def rule(*tools: str, **what: object) -> Permission:
    return Permission.model_validate({"tools": tools, **what})


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
async def group(tmp_path: Path, clock: StillClock) -> AsyncIterator[Scene]:
    """Moderators are operators here, and members of this room may ask, wherever they are from."""
    lists = Lists(operator=[f"power:50 in {ROOM}"], viewer=[f"room:{ROOM}"], none=["@out:hs.test"])
    async with open_scene(tmp_path, lists=lists, tools=WITH_LOGS, clock=clock) as scene:
        scene.seat(*EVERYBODY, STRANGER, state=POWER)
        yield scene


def power(scene: Scene, users: Mapping[str, int]) -> dict[str, JSON]:
    event = scene.event("m.room.power_levels", {"users": users}, sender=OTHER)
    scene.stub.state[ROOM, "m.room.power_levels", ""] = {"users": users}
    return {**event, "state_key": ""}


async def test_a_member_of_a_named_room_has_rights_there_and_nowhere_else(group: Scene) -> None:
    group.seat(STRANGER, MAIN, room_id=ELSEWHERE)

    [here] = await group.ask("!list updates", sender=STRANGER)
    await group.ask("!list updates", sender=STRANGER, room_id=ELSEWHERE)

    assert "3 updates" in here.body
    [there] = group.said(ELSEWHERE)
    assert "somebody without rights" in there.body


async def test_a_power_level_opens_a_tool_and_losing_it_closes_it_at_once(group: Scene) -> None:
    [may] = await group.ask("!search journal", sender=OTHER)
    [refused] = await group.hear(
        power(group, {OTHER: 49}), group.message("!search journal", sender=OTHER)
    )
    [again] = await group.hear(
        power(group, {OTHER: 50}), group.message("!search journal", sender=OTHER)
    )

    assert may.body == again.body == "disk full"
    assert "needs an operator, and you are a viewer here" in refused.body.replace("`", "")
    assert "people with power level 50 here" in refused.body


async def test_who_has_left_has_no_rights_in_what_was_asked_before(group: Scene) -> None:
    await group.ask("!list updates", sender=STRANGER)

    [said] = await group.hear(
        group.member(STRANGER, "leave", sender=STRANGER),
        group.message("!list updates", sender=STRANGER),
    )

    assert "somebody without rights" in said.body


async def test_while_nobody_can_say_how_somebody_stands_nothing_is_granted(
    group: Scene, clock: StillClock
) -> None:
    await group.ask("!search journal", sender=OTHER)
    await query(group.database, "UPDATE room SET state_at = state_at - 61000")
    clock.seconds += 61
    group.stub.fail(
        Failure(method="GET", contains="/state/", status=502, raw=b"<html>bad gateway", times=99)
    )

    [said] = await group.ask("!search journal", sender=OTHER)

    assert "somebody without rights" in said.body


async def test_without_entries_about_rooms_no_room_is_looked_at(tmp_path: Path) -> None:
    clock = StillClock()
    async with open_scene(tmp_path, clock=clock) as scene:
        scene.seat(*EVERYBODY)
        await scene.ask("!list updates")
        await query(scene.database, "UPDATE room SET state_at = state_at - 61000")
        clock.seconds += 61
        asked = len(scene.stub.asked("GET", "/state"))

        [said] = await scene.ask("!list updates")

        assert "3 updates" in said.body
        assert len(scene.stub.asked("GET", "/state")) == asked


async def test_rights_that_go_while_the_model_thinks_are_gone_for_its_next_call(
    tmp_path: Path, model: ModelServer
) -> None:
    lists = Lists(operator=["power:50"], viewer=["*:hs.test"])
    async with open_scene(
        tmp_path, lists=lists, tools=WITH_LOGS, model_url=model.base_url
    ) as scene:
        scene.seat(*EVERYBODY, state=POWER)
        thinking = calls(("search_journal", "{}"))

        async def lowered_meanwhile(asked: Asked) -> web.StreamResponse:
            await scene.push(power(scene, {OTHER: 0}))
            return await thinking(asked)

        model.will(lowered_meanwhile, says("I may not."))
        await scene.ask("lycatra: what is in the journal?", sender=OTHER)

        told = model.asked[-1].messages[-1]["content"]
        assert "disk full" not in told
        assert "needs an operator" in told


async def test_an_operator_of_this_room_may_stop_what_others_asked_here(group: Scene) -> None:
    [for_moderator] = await group.ask("!stop", sender=OTHER)
    [for_member] = await group.ask("!stop", sender=PERSON)

    assert "that you asked for" not in for_moderator.body
    assert "that you asked for" in for_member.body


async def test_help_shows_what_somebody_may_do_in_this_room(group: Scene) -> None:
    group.seat(OTHER, MAIN, room_id=ELSEWHERE, state=POWER)

    [for_moderator] = await group.ask("!help services", sender=OTHER)
    [for_member] = await group.ask("!help services", sender=PERSON)
    await group.ask("!help", sender=OTHER, room_id=ELSEWHERE)

    assert "search journal" in for_moderator.body
    assert "search journal" not in for_member.body
    assert "no rights" in group.said(ELSEWHERE)[-1].body


# --- invitations


async def test_who_invites_into_a_named_room_is_a_member_of_it(tmp_path: Path) -> None:
    lists = Lists(operator=(), viewer=[f"room:{ROOM}"])
    async with open_scene(tmp_path, lists=lists) as scene:
        for room_id in (ROOM, ELSEWHERE):
            scene.seat(STRANGER, room_id=room_id)
            scene.stub.rooms[room_id].members[MAIN] = "invite"
            await scene.hear(scene.member(MAIN, "invite", sender=STRANGER, room_id=room_id))

        assert scene.stub.rooms[ROOM].members[MAIN] == "join"
        assert scene.stub.rooms[ELSEWHERE].members[MAIN] == "leave"


# --- rules


async def test_a_rule_keeps_a_command_for_those_it_lists(tmp_path: Path) -> None:
    rules = [rule("list_updates", who=[OTHER])]
    async with open_scene(tmp_path, rules=rules) as scene:
        scene.seat(*EVERYBODY)

        [refused] = await scene.ask("!list updates")
        [may] = await scene.ask("!list updates", sender=OTHER)

        assert "is kept for certain people" in refused.body
        assert "other:hs.test" in refused.body
        assert "3 updates" in may.body


async def test_a_rule_for_the_model_leaves_the_command_alone(
    tmp_path: Path, model: ModelServer
) -> None:
    rules = [rule("updates", faces=["agent"], level="admin")]
    async with open_scene(tmp_path, rules=rules, model_url=model.base_url) as scene:
        scene.seat(*EVERYBODY)
        model.will(says("I cannot look."))

        await scene.ask("lycatra: what is new?")
        [said] = await scene.ask("!list updates")

        offered = {tool["function"]["name"] for tool in model.asked[0].body["tools"]}
        assert "list_updates" not in offered
        assert "3 updates" in said.body


# --- what is hidden


def hidden_from_others(
    folder: Path, model_url: str | None = None
) -> AbstractAsyncContextManager[Scene]:
    lists = Lists(viewer=["*:hs.test"], operator=[CREW])
    rules = [rule("search_journal", level="operator", hidden=True)]
    return open_scene(folder, lists=lists, rules=rules, tools=WITH_LOGS, model_url=model_url)


async def silence_or_words(scene: Scene, body: str, sender: UserID = PERSON) -> Sequence[str]:
    """What is said; the words asked for are left out, as they are repeated in the answer."""
    asked = body.removeprefix("lycatra: ").removeprefix("!").removeprefix("help ")
    said = [each.body for each in await scene.ask(body, sender=sender)]
    spellings = (asked, asked.replace(" ", "_"))
    for spelling in spellings:
        said = [each.replace(spelling, "…") for each in said]
    return said


@pytest.mark.parametrize(
    ("hidden", "made_up"),
    [
        ("!search journal", "!quench frobnic"),
        ("!search_journal", "!quench_frobnic"),
        ("!search journal limit=", "!quench frobnic limit="),
        ("lycatra: !search journal", "lycatra: !quench frobnic"),
        ("lycatra: !search journel", "lycatra: !quench frobnoc"),
        ("lycatra: !services search", "lycatra: !services quench"),
        ("!help search_journal", "!help quench_frobnic"),
        ("!help search journal", "!help quench frobnic"),
        ("lycatra_services: search journal", "lycatra_services: quench frobnic"),
    ],
)
async def test_a_hidden_tool_looks_like_one_that_does_not_exist(
    tmp_path: Path, hidden: str, made_up: str
) -> None:
    async with hidden_from_others(tmp_path) as scene:
        scene.seat(*EVERYBODY, CREW)

        assert await silence_or_words(scene, hidden) == await silence_or_words(scene, made_up)


async def test_an_unaddressed_command_of_a_hidden_tool_is_some_other_bots(tmp_path: Path) -> None:
    async with hidden_from_others(tmp_path) as scene:
        scene.seat(*EVERYBODY, CREW, OTHER_BOT)

        assert await scene.ask("!search journal") == []
        [said] = await scene.ask("!search journal", sender=CREW)
        assert said.body == "disk full"


async def test_the_verb_of_a_hidden_tool_does_not_make_another_one_unclear(tmp_path: Path) -> None:
    tools = {
        **TOOLS,
        "updates": [*TOOLS["updates"], a_tool(name="list_secrets", run=search, args=NoArgs)],
    }
    rules = [rule("list_secrets", hidden=True)]
    async with open_scene(tmp_path, tools=tools, rules=rules) as scene:
        scene.seat(*EVERYBODY)

        [said] = await scene.ask("!updates list")

        assert "3 updates" in said.body


async def test_help_and_whoami_do_not_tell_of_hidden_tools(tmp_path: Path) -> None:
    async with hidden_from_others(tmp_path) as scene:
        scene.seat(*EVERYBODY, CREW)
        for words in ("!help", "!help services", "!whoami", "!help serch_journal"):
            [said] = await scene.ask(words)
            assert "search" not in said.body
        [said] = await scene.ask("!help services", sender=CREW)
        assert "search journal" in said.body


async def test_the_model_is_neither_offered_a_hidden_tool_nor_told_of_it(
    tmp_path: Path, model: ModelServer
) -> None:
    async with hidden_from_others(tmp_path, model_url=model.base_url) as scene:
        scene.seat(*EVERYBODY)
        wanted = [("search_journal", "{}"), ("quench_frobnic", "{}")]
        model.will(calls(*wanted), says("No such thing."))

        await scene.ask("lycatra: search the journal")

        offered = {tool["function"]["name"] for tool in model.asked[0].body["tools"]}
        assert "search_journal" not in offered
        first, second = (each["content"] for each in model.asked[1].messages[-2:])
        assert first.replace("search_journal", "…") == second.replace("quench_frobnic", "…")


async def test_a_tool_hidden_from_everybody_is_hidden_from_an_admin(tmp_path: Path) -> None:
    lists = Lists(admin=["*:hs.test"], viewer=(), operator=())
    rules = [rule("search_journal", hidden=True)]
    async with open_scene(tmp_path, lists=lists, rules=rules, tools=WITH_LOGS) as scene:
        scene.seat(*EVERYBODY)

        assert await scene.ask("!search journal") == []


# --- whoami


async def whoami(scene: Scene, sender: UserID) -> str:
    [said] = await scene.ask("!whoami", sender=sender)
    return said.body.replace("`", "")


async def test_whoami_says_that_a_right_comes_from_the_room(group: Scene) -> None:
    moderator, member = await whoami(group, OTHER), await whoami(group, STRANGER)

    assert f"operator, by the entry power:50 in {ROOM} under access.operator" in moderator
    assert f"viewer, by the entry room:{ROOM} under access.viewer" in member
    assert "Not with this level: search_journal; for that one has to be operator" in member


async def test_whoami_explains_each_rule_that_decides_about_somebody(tmp_path: Path) -> None:
    rules = [
        rule("list_updates", who=[f"room:{ROOM}"]),
        rule("get_status", faces=["agent", "mcp"], who=[CREW]),
        rule("search_journal", level="viewer"),
        rule("assistant", level="admin"),
    ]
    async with open_scene(tmp_path, rules=rules, tools=WITH_LOGS) as scene:
        scene.seat(*EVERYBODY)

        said = await whoami(scene, PERSON)

    assert f"- You may use list_updates, by the entry room:{ROOM} of permissions.0 in my" in said
    assert (
        "- You may not use get_status (agent, mcp): no entry of permissions.1 in my configuration "
        "fits you here." in said
    )
    assert "- You may use search_journal: permissions.2 in my configuration asks for" in said
    assert "- You may not use help: permissions.3 in my configuration asks for admin" in said


async def test_whoami_tells_the_denied_of_no_rules(tmp_path: Path) -> None:
    lists = Lists(viewer=["*:hs.test"], none=[f"room:{ROOM}"])
    rules = [rule("list_updates", who=[PERSON])]
    async with open_scene(tmp_path, lists=lists, rules=rules) as scene:
        scene.seat(*EVERYBODY)

        said = await whoami(scene, PERSON)
        [refused] = await scene.ask("!list updates")

    assert f"none, by the entry room:{ROOM} under access.none" in said
    assert "permissions" not in said
    assert "somebody without rights" in refused.body
