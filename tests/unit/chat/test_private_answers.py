"""Answers that only the asker may read, and conversations in which not everybody may the same."""

from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import pytest

from lycatra_appservice.errors import ToolFailedError
from lycatra_appservice.model import File, Level, RoomID, UserID
from lycatra_appservice.toolkit.base import Audience, Field, ToolArgs, ToolContext, ToolResult
from lycatra_appservice.toolkit.registry import AnyTool
from tests.support.homeserver_stub import Failure
from tests.support.model_server import ModelServer, calls, says
from tests.support.scene import (
    EVERYBODY,
    MAIN,
    OTHER,
    PERSON,
    ROOM,
    SERVICES,
    TOOLS,
    NoArgs,
    Said,
    Scene,
    open_scene,
)
from tests.support.toolbench import Lists, a_tool
from tests.unit.chat.revising import all_texts, reaction, redaction

SALARY, LOG = "canary-salary-4711", "canary-log-0815"
DM = RoomID("!alone")
THIRD = UserID("@third:hs.test")


async def show_salary(args: NoArgs, ctx: ToolContext) -> ToolResult:
    slip = File(name="slip.txt", content_type="text/plain", data=b"4711", description="The slip.")
    return ToolResult(data={"salary": SALARY}, markdown=SALARY, files=[slip])


async def show_debts(args: NoArgs, ctx: ToolContext) -> ToolResult:
    raise ToolFailedError(SALARY)


class CountArgs(ToolArgs):
    text: str = Field(max_length=50, description="What to count.")


async def count(args: CountArgs, ctx: ToolContext) -> ToolResult:
    return ToolResult(data={"letters": len(args.text)}, markdown=f"{len(args.text)} letters")


async def search(args: NoArgs, ctx: ToolContext) -> ToolResult:
    return ToolResult(data={"line": LOG}, markdown=LOG)


WITH_SECRETS: Mapping[str, Sequence[AnyTool]] = {
    **TOOLS,
    "services": [
        a_tool(name="show_salary", run=show_salary, args=NoArgs, audience=Audience.ASKER),
        a_tool(name="show_debts", run=show_debts, args=NoArgs, audience=Audience.ASKER),
        a_tool(name="count_letters", run=count, args=CountArgs),
        a_tool(name="search_journal", run=search, args=NoArgs, level=Level.OPERATOR),
    ],
}
LISTS = Lists(viewer=["*:hs.test"], operator=[PERSON])


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with open_scene(tmp_path, tools=WITH_SECRETS, lists=LISTS) as opened:
        opened.seat(*EVERYBODY)
        yield opened


@pytest.fixture
async def asking(tmp_path: Path, model: ModelServer) -> AsyncIterator[Scene]:
    async with open_scene(
        tmp_path, tools=WITH_SECRETS, lists=LISTS, model_url=model.base_url
    ) as opened:
        opened.seat(*EVERYBODY, THIRD)  # so that answers go into threads
        yield opened


def direct(scene: Scene, person: UserID = PERSON) -> RoomID:
    """The direct room that was made for somebody."""
    [room_id] = [
        RoomID(each)
        for each, room in scene.stub.rooms.items()
        if each != ROOM and person in room.members
    ]
    return room_id


def content_of(said: Sequence[Said]) -> str:
    return str([each.content for each in said])


async def test_a_result_for_the_asker_goes_into_the_direct_chat_with_one_line_here(
    scene: Scene,
) -> None:
    [line] = await scene.ask("!show salary")

    told = scene.said(direct(scene))
    assert SALARY not in content_of([line])
    assert "I wrote it into our direct chat" in line.body
    assert (line.by, line.content["msgtype"]) == (SERVICES, "m.notice")
    assert [each.by for each in told] == [MAIN, MAIN]
    assert SALARY in told[0].body
    assert "Lycatra Services" in told[0].body
    assert told[0].content["msgtype"] == "m.text"
    assert told[1].body == "The slip."


async def test_what_such_a_tool_says_of_its_failure_is_for_the_asker_too(scene: Scene) -> None:
    [line] = await scene.ask("!show debts")

    assert SALARY not in content_of([line])
    assert SALARY in content_of(scene.said(direct(scene)))


async def test_what_is_wrong_with_the_command_itself_is_said_here(scene: Scene) -> None:
    [line] = await scene.ask("!show salary 1 2 3 4")

    assert "direct chat" not in line.body
    assert list(scene.stub.rooms) == [ROOM]


async def test_in_a_direct_chat_it_is_answered_where_it_is_asked(scene: Scene) -> None:
    scene.seat(PERSON, MAIN, room_id=DM)

    await scene.ask("!show salary", room_id=DM)

    assert SALARY in scene.said(DM)[0].body
    assert set(scene.stub.rooms) == {ROOM, DM}


async def test_an_own_direct_chat_is_used_and_none_is_made(scene: Scene) -> None:
    scene.seat(PERSON, MAIN, room_id=DM)
    await scene.ask("!help", room_id=DM)

    await scene.ask("!show salary")

    assert SALARY in scene.said(DM)[-2].body
    assert set(scene.stub.rooms) == {ROOM, DM}


async def test_a_room_with_somebody_invited_is_one_with_others(scene: Scene) -> None:
    scene.seat(PERSON, MAIN, room_id=DM)
    scene.stub.state[DM, "m.room.member", OTHER] = {"membership": "invite"}

    await scene.ask("!show salary", room_id=DM)

    assert SALARY not in content_of(scene.said(DM))


@pytest.mark.parametrize("rule", ["public", "restricted", "knock_restricted", "org.new"])
async def test_a_room_that_others_may_join_by_themselves_is_one_with_others(
    scene: Scene, rule: str
) -> None:
    # Whoever comes later reads what was said before.
    scene.seat(PERSON, MAIN, room_id=DM)
    scene.stub.state[DM, "m.room.join_rules", ""] = {"join_rule": rule}

    await scene.ask("!show salary", room_id=DM)

    assert SALARY not in content_of(scene.said(DM))
    [made] = set(scene.stub.rooms) - {ROOM, DM}
    assert SALARY in content_of(scene.said(RoomID(made)))


async def test_a_direct_chat_that_one_has_to_be_let_into_is_one_alone(scene: Scene) -> None:
    scene.seat(PERSON, MAIN, room_id=DM)
    scene.stub.state[DM, "m.room.join_rules", ""] = {"join_rule": "knock"}

    await scene.ask("!show salary", room_id=DM)

    assert SALARY in content_of(scene.said(DM))


async def test_where_it_cannot_be_told_who_may_come_in_it_goes_elsewhere(scene: Scene) -> None:
    scene.seat(PERSON, MAIN, room_id=DM)
    await scene.ask("!help", room_id=DM)
    scene.stub.fail(
        Failure(method="GET", contains="m.room.join_rules", status=403, errcode="M_FORBIDDEN")
    )

    await scene.ask("!show salary", room_id=DM)

    assert "direct chat" in scene.said(DM)[-1].body


async def test_who_asks_and_is_gone_is_not_answered_before_who_is_left(scene: Scene) -> None:
    scene.seat(PERSON, OTHER, MAIN, room_id=DM)
    await scene.ask("!help", room_id=DM)

    await scene.hear(
        scene.member(PERSON, "leave", sender=PERSON, room_id=DM),
        scene.message("!show salary", room_id=DM),
    )

    assert SALARY not in content_of(scene.said(DM))


async def test_without_a_way_to_the_asker_it_is_told_to_nobody(scene: Scene) -> None:
    scene.stub.encrypts_new_rooms = True

    [line] = await scene.ask("!show salary")

    assert SALARY not in content_of([line])
    assert "could not open a direct chat" in line.body


async def test_while_no_room_can_be_made_the_answer_waits(scene: Scene) -> None:
    scene.stub.fail(
        Failure(method="POST", contains="createRoom", status=429, errcode="M_LIMIT_EXCEEDED")
    )

    [line] = await scene.ask("!show salary")

    assert "I wrote it into our direct chat" in line.body
    assert SALARY in content_of(scene.said(direct(scene)))


async def test_the_line_is_in_the_language_of_the_room_and_so_is_the_answer(scene: Scene) -> None:
    await scene.ask("lycatra: !settings language de", sender=PERSON)
    scene.stub.state[ROOM, "m.room.power_levels", ""] = {"users": {PERSON: 100}}
    await scene.rooms.drop(ROOM)
    await scene.ask("lycatra: !settings language de", sender=PERSON)

    [line] = await scene.ask("!show salary")

    assert "in unserem Direktchat" in line.body


# --- the agent


async def test_an_answer_made_of_such_a_result_goes_into_the_direct_chat(
    asking: Scene, model: ModelServer
) -> None:
    model.will(calls(("show_salary", "{}")), says(f"You get {SALARY}."))

    [line] = await asking.ask("lycatra: what do I get?")

    told = asking.said(direct(asking))
    assert SALARY not in content_of([line])
    assert "I wrote it into our direct chat" in line.body
    assert told[0].body == f"You get {SALARY}."
    assert told[0].content["msgtype"] == "m.text"
    assert len(told) == 2  # with its file


async def test_one_goes_on_with_it_in_the_direct_chat_and_nobody_can_in_the_room(
    asking: Scene, model: ModelServer
) -> None:
    model.will(calls(("show_salary", "{}")), says(f"You get {SALARY}."))
    question = asking.message("lycatra: what do I get?")
    await asking.hear(question)
    dm = direct(asking)
    asking.stub.rooms[dm].members[PERSON] = "join"
    asking.stub.state[dm, "m.room.member", PERSON] = {"membership": "join"}
    thread = {"rel_type": "m.thread", "event_id": question["event_id"]}

    model.will(says("As before."), says("What?"), says("What?"))
    await asking.ask("and next year?", room_id=dm)
    for person in (PERSON, OTHER):
        await asking.ask("lycatra: and next year?", sender=person, m_relates_to=thread)

    in_direct, in_room, by_other = (str(asked.messages) for asked in model.asked[-3:])
    assert "left out" not in in_room + by_other
    assert SALARY in in_direct
    assert SALARY not in in_room + by_other


async def test_a_question_that_is_taken_back_is_forgotten_in_the_direct_chat_too(
    asking: Scene, model: ModelServer
) -> None:
    model.will(calls(("show_salary", "{}")), says(f"You get {SALARY}."), says("As before."))
    question = asking.message("lycatra: what do I get?")
    await asking.hear(question)
    dm = direct(asking)
    asking.stub.rooms[dm].members[PERSON] = "join"
    asking.stub.state[dm, "m.room.member", PERSON] = {"membership": "join"}
    await asking.ask("and next year?", room_id=dm)

    await asking.hear(redaction(asking, question["event_id"]))

    events = asking.stub.rooms[dm].events
    taken_back = [each["content"]["redacts"] for each in events if "redacts" in each["content"]]
    said = [each["event_id"] for each in events if each["type"] == "m.room.message"]
    assert taken_back == said[:2]  # the answer and its file, and not the next answer
    assert SALARY not in await all_texts(asking.database)


async def test_what_rests_on_it_by_memory_alone_is_for_the_asker_too(
    asking: Scene, model: ModelServer
) -> None:
    asking.seat(PERSON, MAIN, room_id=DM)
    model.will(calls(("show_salary", "{}")), says("Enough."), says("Still enough."), says("What?"))
    await asking.ask("what do I get?", room_id=DM)
    await asking.ask("and is that enough?", room_id=DM)

    await asking.hear(
        asking.member(OTHER, "join", sender=OTHER, room_id=DM),
        asking.message("lycatra: and what does she get?", sender=OTHER, room_id=DM),
    )

    told = str(model.asked[-1].messages)
    assert SALARY not in told
    assert "nough" not in told


async def test_of_what_is_above_somebody_the_model_is_told_nothing_for_his_question(
    asking: Scene, model: ModelServer
) -> None:
    question = asking.message("lycatra: what is in the journal?", sender=PERSON)
    thread = {"rel_type": "m.thread", "event_id": question["event_id"]}
    model.will(calls(("search_journal", "{}")), says(f"It says {LOG}."))
    await asking.hear(question)

    model.will(says("I cannot say."), says("The same."), says("I cannot say."))
    for person in (OTHER, PERSON, OTHER):
        await asking.ask("lycatra: what does it mean?", sender=person, m_relates_to=thread)

    for_viewer, for_operator, for_viewer_again = (str(each.messages) for each in model.asked[-3:])
    assert LOG not in for_viewer
    assert "what is in the journal?" in for_viewer
    assert LOG in for_operator
    # What the operator was told by memory of it is above the viewer as well.
    assert "The same." not in for_viewer_again
    assert "I cannot say." in for_viewer_again


async def test_a_call_that_was_refused_does_not_cost_the_asker_his_memory(
    asking: Scene, model: ModelServer
) -> None:
    asking.seat(OTHER, MAIN, room_id=DM)
    wanted = [("search_journal", "{}"), ("no_such_tool", "{}"), ("list_updates", "{}")]
    model.will(calls(*wanted), says("Three updates, and no journal."), says("Yes."))

    await asking.ask("what is up?", sender=OTHER, room_id=DM)
    await asking.ask("really?", sender=OTHER, room_id=DM)

    assert "Three updates" in str(model.asked[-1].messages)


async def test_what_stands_behind_such_an_answer_is_shown_to_the_asker_alone(
    asking: Scene, model: ModelServer
) -> None:
    # What one tool gave for the asker alone may stand in what the next one is asked.
    with_it = f'{{"text": "{SALARY}"}}'
    model.will(
        calls(("show_salary", "{}")), calls(("count_letters", with_it)), says("It has 18 letters.")
    )
    await asking.ask("lycatra: how long is it?")
    line = asking.last_event_id()
    dm = direct(asking)
    answer = asking.stub.rooms[dm].events[-2]["event_id"]

    for person in (OTHER, PERSON):
        [told] = await asking.hear(reaction(asking, line, "🔍", sender=person))
        assert SALARY not in content_of([told])
        assert "direct chat" in told.body
    asking.stub.rooms[dm].members[PERSON] = "join"
    asking.stub.state[dm, "m.room.member", PERSON] = {"membership": "join"}
    relation = {"m.in_reply_to": {"event_id": answer}}
    await asking.ask("!sources", room_id=dm, m_relates_to=relation)
    assert f"count_letters text={SALARY}" in asking.said(dm)[-1].body


async def test_neither_is_what_was_asked_with_it_in_mind(
    asking: Scene, model: ModelServer
) -> None:
    asking.seat(PERSON, MAIN, room_id=DM)
    with_it = f'{{"text": "{SALARY}"}}'
    model.will(calls(("show_salary", "{}")), says("Enough."))
    model.will(calls(("count_letters", with_it)), says("It has 18 letters."))
    await asking.ask("what do I get?", room_id=DM)
    await asking.ask("how long is that?", room_id=DM)
    answer = asking.last_event_id(DM)

    await asking.hear(
        asking.member(OTHER, "join", sender=OTHER, room_id=DM),
        asking.message(
            "lycatra: !sources",
            sender=OTHER,
            room_id=DM,
            m_relates_to={"m.in_reply_to": {"event_id": answer}},
        ),
    )

    told = asking.said(DM)[-1]
    assert "for the eyes of the person who asked alone" in told.body
    assert SALARY not in content_of([told])
