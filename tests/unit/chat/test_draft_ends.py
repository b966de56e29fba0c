"""A draft never stays one: whatever becomes of its answer, it has a last word, or is gone."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from lycatra_appservice.chat.draft import DraftTiming
from lycatra_appservice.chat.private_answers import PrivateAnswers
from lycatra_appservice.matrix.events import LIVE_MARKER
from lycatra_appservice.model import JSON, LaneKind, RoomID, UserID
from lycatra_appservice.toolkit.base import Audience, ToolContext, ToolResult
from lycatra_appservice.toolkit.registry import AnyTool
from tests.support.approving import LISTS, Services, card_id, seat_people
from tests.support.drafting import (
    AT_ONCE,
    Step,
    is_nothing_live,
    reads,
    shown,
    stands,
    streams,
)
from tests.support.model_server import DONE, Asked, ModelServer, Reply, calls, delta, refuses, says
from tests.support.scene import (
    EVERYBODY,
    MAIN,
    OTHER,
    PERSON,
    ROOM,
    TOOLS,
    NoArgs,
    Scene,
    open_scene,
)
from tests.support.toolbench import a_tool
from tests.support.turns import query, turn_states
from tests.unit.chat.approving import vote
from tests.unit.chat.revising import all_texts, edit, hurry, take_back, work_off

ASKED = "lycatra: what is new?"
SALARY = "canary-salary-4711"
DM = RoomID("!alone")


@asynccontextmanager
async def asking(folder: Path, model: ModelServer, **more: Any) -> AsyncIterator[Scene]:
    timing = more.pop("drafts", AT_ONCE)
    async with open_scene(folder, model_url=model.base_url, drafts=timing, **more) as opened:
        opened.seat(*EVERYBODY)
        yield opened


@pytest.fixture
async def scene(tmp_path: Path, model: ModelServer) -> AsyncIterator[Scene]:
    async with asking(tmp_path, model) as opened:
        yield opened


class Running:
    """A question that is being answered, until somebody ends the run."""

    def __init__(self, scene: Scene, asked: Mapping[str, JSON]) -> None:
        self.scene = scene
        self.asked = asked

    async def begin(self, words: str) -> None:
        """Run until this can be read."""
        await self.scene.push(self.asked)
        [(self.lease, self.turn)] = await self.scene.engine.store.claim(LaneKind.ASK, 1)
        run = self.scene.runner.run(self.lease, self.turn, go_on=False)
        self.task = asyncio.create_task(run)
        await reads(self.scene, words)

    async def cut_off(self) -> None:
        """End it as its process' death does, or a stop."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    async def is_stopped(self) -> None:
        """What the worker does when the person wanted it."""
        await self.cut_off()
        await self.scene.runner.end_cancelled(self.lease, self.turn, timedelta(0), go_on=False)

    async def is_dead(self) -> None:
        """What others do when its lease has ended."""
        await self.cut_off()
        await self.scene.engine.store.put_back(self.lease, self.turn, timedelta(0), failed=False)


async def for_ever() -> None:
    await asyncio.Event().wait()


async def begun(scene: Scene, model: ModelServer, text: str = "One two ") -> Running:
    """A question whose answer has begun with this."""
    model.will(streams(text, for_ever))
    running = Running(scene, scene.message(ASKED))
    await running.begin(text.strip())
    return running


# People end it


async def test_a_stopped_answer_keeps_what_came_and_says_so_at_once(
    scene: Scene, model: ModelServer
) -> None:
    running = await begun(scene, model)
    await scene.push(scene.message("!stop"))
    await work_off(scene, LaneKind.CONTROL)
    await running.is_stopped()
    await scene.work()  # nothing has to become due for it

    [draft, *_] = stands(scene)
    assert draft.startswith("One two")
    assert draft.endswith("⏹️ Stopped.")
    assert is_nothing_live(scene)
    assert "formatted_body" in shown(scene)[-1].content["m.new_content"]


async def test_a_stop_before_the_first_word_leaves_only_that(
    tmp_path: Path, model: ModelServer
) -> None:
    async def run(args: NoArgs, ctx: ToolContext) -> ToolResult:
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    slow = a_tool(name="read_slowly", title="Read slowly", run=run, args=NoArgs)
    tools = {**TOOLS, "updates": [*TOOLS["updates"], slow]}
    async with asking(tmp_path, model, tools=tools) as scene:
        model.will(calls(("read_slowly", "{}")))
        running = Running(scene, scene.message(ASKED))
        await running.begin("Read slowly")
        await running.is_stopped()
        await scene.work()

        assert stands(scene) == ["⏹️ Stopped."]


async def test_redacting_the_question_takes_the_draft_along(
    scene: Scene, model: ModelServer
) -> None:
    running = await begun(scene, model, "canary ")
    await scene.push(take_back(scene, running.asked))
    await work_off(scene, LaneKind.CONTROL)
    await running.is_stopped()
    await hurry(scene)

    gone = {
        event["content"]["redacts"]
        for event in scene.stub.rooms[ROOM].events
        if event["type"] == "m.room.redaction" and event["sender"] == MAIN
    }
    assert {each.event_id for each in shown(scene)} <= gone
    assert "canary" not in await all_texts(scene.database)


async def test_other_words_are_answered_in_the_same_message(
    scene: Scene, model: ModelServer
) -> None:
    running = await begun(scene, model)
    model.will(says("Five."))
    await scene.push(edit(scene, running.asked, "lycatra: what is old?"))
    await work_off(scene, LaneKind.CONTROL)
    await running.cut_off()
    await hurry(scene)

    assert stands(scene) == ["Five."]
    assert is_nothing_live(scene)


async def test_words_that_become_a_command_leave_a_hint_to_its_answer(
    scene: Scene, model: ModelServer
) -> None:
    running = await begun(scene, model)
    await scene.push(edit(scene, running.asked, "!list updates 5"))
    await work_off(scene, LaneKind.CONTROL)
    await running.cut_off()
    await hurry(scene)

    assert stands(scene)[0] == "⬇️ The answer stands below."
    assert "5 updates" in stands(scene)[1]
    assert is_nothing_live(scene)


# Processes end


async def test_a_run_after_a_crash_ends_the_same_message(scene: Scene, model: ModelServer) -> None:
    running = await begun(scene, model)
    await running.is_dead()
    model.will(says("One two three."))
    await hurry(scene)

    assert stands(scene) == ["One two three."]
    assert is_nothing_live(scene)
    assert len([each for each in shown(scene) if each.edits is None]) == 1


async def test_a_quick_run_elsewhere_ends_the_same_message_without_a_draft_of_its_own(
    tmp_path: Path, model: ModelServer
) -> None:
    url = f"sqlite:///{tmp_path / 'both.db'}"
    async with asking(tmp_path, model, database_url=url) as scene:
        running = await begun(scene, model)
        await running.is_dead()
        model.will(says("One two three."))
        async with open_scene(
            tmp_path, model_url=model.base_url, database_url=url, beside=scene
        ) as heir:
            await hurry(heir)

        assert stands(scene) == ["One two three."]
        assert is_nothing_live(scene)


async def test_meanwhile_it_says_that_the_answer_follows(scene: Scene, model: ModelServer) -> None:
    running = await begun(scene, model)
    await running.is_dead()

    async def follows() -> None:
        await reads(scene, "the answer follows here")

    model.will(streams(follows, "One two three."))
    await hurry(scene)

    assert stands(scene) == ["One two three."]


async def test_an_edit_that_nobody_knows_the_fate_of_is_left_out(
    scene: Scene, model: ModelServer
) -> None:
    running = await begun(scene, model)
    await running.is_dead()
    await query(
        scene.database,
        "UPDATE send SET sent_at = NULL, event_id = NULL WHERE kind = 'edit' AND n < 0",
    )
    model.will(says("One two three."))
    await hurry(scene)

    assert stands(scene) == ["One two three."]
    assert is_nothing_live(scene)


async def test_a_draft_that_was_sent_unnoticed_is_found_and_ended(
    scene: Scene, model: ModelServer
) -> None:
    running = await begun(scene, model)
    await running.is_dead()
    await query(scene.database, "DELETE FROM send WHERE kind = 'edit' AND n < 0")
    await query(scene.database, "UPDATE send SET sent_at = NULL, event_id = NULL WHERE n < 0")
    model.will(says("One two three."))
    await hurry(scene)

    assert stands(scene) == ["One two three."]
    assert is_nothing_live(scene)


async def test_a_turn_that_is_given_up_leaves_a_broken_draft_and_an_apology(
    scene: Scene, model: ModelServer
) -> None:
    running = await begun(scene, model)
    await running.is_dead()
    await query(scene.database, "UPDATE turn SET failures = 3 WHERE trigger_id LIKE '$%'")
    await hurry(scene)

    draft, apology = stands(scene)
    assert draft.startswith("One two")
    assert draft.endswith("⚠️ Broken off.")
    assert apology.startswith("⚠️")
    assert is_nothing_live(scene)


async def test_half_an_answer_does_not_stay_in_a_room_that_has_become_encrypted(
    scene: Scene, model: ModelServer
) -> None:
    async def is_encrypted() -> None:
        await reads(scene, "One two")
        content = {"algorithm": "m.megolm.v1.aes-sha2"}
        scene.stub.state[ROOM, "m.room.encryption", ""] = content
        await scene.push({**scene.event("m.room.encryption", content), "state_key": ""})
        await work_off(scene, LaneKind.CONTROL)

    model.will(streams("One two ", is_encrypted, "three."))

    await scene.ask(ASKED)
    await hurry(scene)

    assert is_nothing_live(scene)
    [line] = stands(scene)
    assert "encrypted" in line
    assert "three" not in str(scene.stub.rooms[ROOM].events)


async def test_while_an_answer_is_made_nobody_ends_its_draft(
    scene: Scene, model: ModelServer
) -> None:
    running = await begun(scene, model)
    await query(scene.database, "UPDATE turn SET run_at = 0 WHERE trigger_id LIKE 'draft:%'")
    await query(scene.database, "UPDATE lane SET ready_at = 0 WHERE key LIKE 'draft:%'")
    await work_off(scene, LaneKind.CONTROL)

    assert stands(scene) == ["One two …"]
    await running.cut_off()


async def test_an_answered_draft_is_left_alone(scene: Scene, model: ModelServer) -> None:
    model.will(streams("One ", lambda: reads(scene, "One"), "two."))
    await scene.ask(ASKED)
    count = len(shown(scene))
    await hurry(scene)

    assert len(shown(scene)) == count
    states = await turn_states(scene.database)
    assert [state for name, state in states.items() if name.startswith("draft:")] == ["done"]


# Approvals


async def test_after_an_approval_the_answer_grows_and_rings_below_the_card(
    tmp_path: Path, model: ModelServer
) -> None:
    services = Services()
    async with asking(tmp_path, model, lists=LISTS, tools=services.tools()) as scene:
        seat_people(scene)
        model.will(calls(("restart_service", '{"service":"web"}')))
        await scene.ask("lycatra: restart web")
        model.will(streams("It is ", lambda: reads(scene, "It is"), "back."))
        await vote(scene)
        await hurry(scene)

        assert services.restarted == ["web"]
        assert stands(scene)[-1].startswith("It is back.")
        assert is_nothing_live(scene)
        *_, final = [each for each in shown(scene) if each.text.startswith("It is back.")]
        [draft] = [each for each in shown(scene) if each.event_id == final.edits]
        places = [each.event_id for each in shown(scene)]
        assert places.index(card_id(scene)) < places.index(draft.event_id)
        assert draft.content["m.mentions"]["user_ids"] == [PERSON]


async def test_a_draft_that_is_shown_when_people_are_asked_says_so(
    tmp_path: Path, model: ModelServer
) -> None:
    services = Services()
    async with asking(tmp_path, model, lists=LISTS, tools=services.tools()) as scene:
        seat_people(scene)
        seen: list[str] = []

        async def look() -> None:
            await reads(scene, "Hm")
            seen.extend(each.event_id for each in shown(scene))

        model.will(
            streams_then_calls(("Hm, ", look), ("restart_service", '{"service":"web"}')),
        )
        await scene.ask("lycatra: restart web")

        [draft] = [each for each in shown(scene) if "approved first" in each.text]
        assert draft.edits == seen[0]
        places = [each.event_id for each in shown(scene)]
        assert places.index(draft.event_id) < places.index(card_id(scene))
        assert is_nothing_live(scene)


def streams_then_calls(steps: Sequence[Step], call: tuple[str, str]) -> Reply:
    """A preamble that is heard, and a call after it."""

    async def reply(asked: Asked) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(asked.request)
        for step in steps:
            if isinstance(step, str):
                await response.write(delta(content=step))
            else:
                await step()
        name, arguments = call
        function = {"name": name, "arguments": arguments}
        await response.write(delta(tool_calls=[{"index": 0, "id": "c0", "function": function}]))
        await response.write(delta("tool_calls") + DONE)
        return response

    return reply


# What is for the asker alone


async def show_salary(args: NoArgs, ctx: ToolContext) -> ToolResult:
    return ToolResult(data={"salary": SALARY}, markdown=SALARY)


PRIVATE: Mapping[str, Sequence[AnyTool]] = {
    **TOOLS,
    "services": [
        a_tool(
            name="show_salary",
            title="Show salary",
            run=show_salary,
            args=NoArgs,
            audience=Audience.ASKER,
        ),
    ],
}


async def test_what_may_rest_on_a_private_result_is_never_shown_to_others(
    tmp_path: Path, model: ModelServer
) -> None:
    async with asking(tmp_path, model, tools=PRIVATE) as scene:
        scene.seat(PERSON, MAIN, room_id=DM)
        await scene.ask("!help", room_id=DM)
        model.will(
            calls(("show_salary", "{}")),
            streams(f"You get {SALARY} ", lambda: reads(scene, "Working"), "a month."),
        )

        await scene.ask(ASKED)
        await hurry(scene)

        assert SALARY not in str(scene.stub.rooms[ROOM].events)
        assert "salary" not in str(scene.stub.rooms[ROOM].events).lower()
        assert [text for text in stands(scene, DM) if SALARY in text]
        assert len(stands(scene)) == 1
        assert is_nothing_live(scene)


async def test_who_reads_along_is_not_asked_with_each_word(
    tmp_path: Path, model: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0
    is_alone = PrivateAnswers.is_alone

    async def counted(private: PrivateAnswers, person: UserID, room_id: RoomID) -> bool:
        nonlocal asked
        asked += 1
        return await is_alone(private, person, room_id)

    monkeypatch.setattr(PrivateAnswers, "is_alone", counted)
    timing = DraftTiming(after=timedelta(0), every=timedelta(seconds=0.5))
    words: list[Step] = ["word ", partial(asyncio.sleep, 0.005)] * 40
    async with asking(tmp_path, model, tools=PRIVATE, drafts=timing) as scene:
        model.will(
            calls(("show_salary", "{}")),
            streams("You ", lambda: reads(scene, "Working"), partial(asyncio.sleep, 0.6), *words),
        )

        await scene.ask(ASKED)

        assert asked < 20


async def test_whoever_is_alone_reads_along(tmp_path: Path, model: ModelServer) -> None:
    async with asking(tmp_path, model, tools=PRIVATE) as scene:
        scene.seat(PERSON, MAIN, room_id=DM)
        model.will(
            calls(("show_salary", "{}")),
            streams(f"You get {SALARY} ", lambda: reads(scene, SALARY, DM), "a month."),
        )

        await scene.ask("what do I get?", room_id=DM)

        assert stands(scene, DM) == [f"You get {SALARY} a month."]


async def comes_in(scene: Scene) -> None:
    """Somebody else, as soon as the secret can be read."""
    await reads(scene, SALARY, DM)
    event = scene.member(OTHER, "join", room_id=DM)
    scene.stub.state[DM, "m.room.member", OTHER] = {"membership": "join"}
    scene.stub.rooms[DM].members[OTHER] = "join"
    await scene.push(event)
    await work_off(scene, LaneKind.CONTROL)


def is_taken_back(scene: Scene) -> bool:
    """Whether all that told the secret is redacted, and was there."""
    gone = {
        event["content"]["redacts"]
        for event in scene.stub.rooms[DM].events
        if event["type"] == "m.room.redaction"
    }
    told = {each.event_id for each in shown(scene, DM) if SALARY in each.text}
    return bool(told) and told <= gone


async def test_what_was_shown_to_the_asker_alone_is_redacted_when_others_have_come(
    tmp_path: Path, model: ModelServer
) -> None:
    async with asking(tmp_path, model, tools=PRIVATE) as scene:
        scene.seat(PERSON, MAIN, room_id=DM)
        model.will(
            calls(("show_salary", "{}")),
            streams(f"You get {SALARY} ", partial(comes_in, scene), "a month."),
        )

        await scene.ask("what do I get?", room_id=DM)
        await hurry(scene)

        assert not [text for text in stands(scene, DM) if SALARY in text]
        assert is_taken_back(scene)


async def test_it_is_redacted_too_where_the_answer_has_no_end(
    tmp_path: Path, model: ModelServer
) -> None:
    async with asking(tmp_path, model, tools=PRIVATE, patience=timedelta(seconds=1)) as scene:
        scene.seat(PERSON, MAIN, room_id=DM)
        model.will(
            calls(("show_salary", "{}")),
            streams(f"You get {SALARY} ", partial(comes_in, scene), for_ever),
        )

        await scene.ask("what do I get?", room_id=DM)
        await hurry(scene)

        [line] = stands(scene, DM)
        assert SALARY not in line
        assert is_taken_back(scene)


async def test_words_before_a_call_are_no_beginning_of_an_answer_that_fails_later(
    scene: Scene, model: ModelServer
) -> None:
    preamble: list[Step] = ["I will look. ", lambda: reads(scene, "I will look")]
    model.will(streams_then_calls(preamble, ("list_updates", "{}")), refuses(401))

    await scene.ask("lycatra: what updates are there?")
    await hurry(scene)

    [facts] = stands(scene)
    assert "`!list updates`" in facts
    assert "I will look" not in facts


async def test_a_run_that_goes_on_from_a_journal_shows_no_words_where_it_cannot_know(
    tmp_path: Path, model: ModelServer
) -> None:
    async with asking(tmp_path, model, tools=PRIVATE) as scene:
        scene.seat(PERSON, MAIN, room_id=DM)
        model.will(calls(("show_salary", "{}")), streams(f"{SALARY} ", for_ever))
        running = Running(scene, scene.message(ASKED))
        await running.begin("Working")
        await running.is_dead()
        model.will(streams(f"{SALARY} ", lambda: reads(scene, "Working"), "is it."))
        await hurry(scene)

        assert SALARY not in str(scene.stub.rooms[ROOM].events)


# Those who wake too late


def late_edit(scene: Scene, draft: str, words: str) -> dict[str, JSON]:
    """What a replica that was frozen sends when it wakes, as it is pushed."""
    content = {
        "msgtype": "m.text",
        "body": f"* {words}",
        "m.new_content": {"msgtype": "m.text", "body": words, LIVE_MARKER: {}},
        "m.relates_to": {"rel_type": "m.replace", "event_id": draft},
        "org.lycatra.reply": {"to": "$pushed1", "kind": "draft", "part": 1, "of": 1},
        LIVE_MARKER: {},
    }
    event = scene.event("m.room.message", content, sender=MAIN)
    scene.stub.rooms[ROOM].events.append(event)
    return event


async def test_an_edit_that_comes_after_the_last_one_is_put_right_once(
    scene: Scene, model: ModelServer
) -> None:
    model.will(streams("One ", lambda: reads(scene, "One"), "two."))
    await scene.ask(ASKED)
    draft = shown(scene)[0].event_id
    late = late_edit(scene, draft, "One")
    assert not is_nothing_live(scene)

    await scene.push(late)
    await scene.push(late)
    await hurry(scene)

    assert stands(scene) == ["One two."]
    assert is_nothing_live(scene)
    assert shown(scene)[-1].content["m.new_content"]["body"] == "One two."
    assert len([each for each in shown(scene) if not each.is_live and each.edits]) == 2


async def test_echoes_of_edits_that_came_in_time_are_nothing(
    scene: Scene, model: ModelServer
) -> None:
    model.will(
        streams("One ", lambda: reads(scene, "One"), "two ", lambda: reads(scene, "two"), ".")
    )
    await scene.ask(ASKED)
    before = await turn_states(scene.database)
    for event in list(scene.stub.rooms[ROOM].events):
        await scene.push({**event, "room_id": ROOM})

    assert await turn_states(scene.database) == before


async def test_an_echo_while_the_answer_is_still_made_is_nothing(
    scene: Scene, model: ModelServer
) -> None:
    running = await begun(scene, model)
    await scene.push(late_edit(scene, shown(scene)[0].event_id, "One"))

    assert not [name for name in await turn_states(scene.database) if "repair" in name]
    await running.cut_off()


async def test_a_last_word_without_an_answer_is_put_right_too(
    scene: Scene, model: ModelServer
) -> None:
    running = await begun(scene, model)
    await running.is_stopped()
    await scene.work()
    await scene.push(late_edit(scene, shown(scene)[0].event_id, "One"))
    await hurry(scene)

    assert stands(scene)[0].endswith("⏹️ Stopped.")
    assert is_nothing_live(scene)
