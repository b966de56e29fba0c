"""A slow tool shows what it is doing in one message, which says in the end that it is over."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lycatra_appservice.chat.progress import ProgressTiming
from lycatra_appservice.errors import ToolFailedError
from lycatra_appservice.model import JSON, LaneKind, RoomID
from lycatra_appservice.toolkit.base import Audience, Effect, Tool, ToolContext, ToolResult
from tests.support.approving import LISTS, seat_people
from tests.support.dying import cut_off, die_here
from tests.support.homeserver_stub import Failure
from tests.support.model_server import ModelServer, calls, says
from tests.support.scene import (
    EVERYBODY,
    MAIN,
    PERSON,
    ROOM,
    TOOLS,
    UPDATES,
    NoArgs,
    Scene,
    open_scene,
)
from tests.support.toolbench import a_tool
from tests.support.turns import query, turn_states, until
from tests.unit.chat.approving import vote
from tests.unit.chat.revising import all_texts, edit, hurry, redaction, work_off

AT_ONCE = ProgressTiming(after=timedelta(0), every=timedelta(0), share=0)
NEVER = ProgressTiming(after=timedelta(hours=1))
SECRET = "canary-crm-4711"


def shown(scene: Scene, room_id: RoomID = ROOM) -> list[str]:
    """What stands in each progress message of a room, one after the other."""
    return [
        str(event["content"].get("m.new_content", event["content"])["body"])
        for event in progress_events(scene, room_id)
    ]


def progress_events(scene: Scene, room_id: RoomID = ROOM) -> Sequence[Mapping[str, Any]]:
    return [
        event
        for event in scene.stub.rooms[room_id].events
        if event["content"].get("org.lycatra.reply", {}).get("kind") == "progress"
    ]


class Slow:
    """A tool that says something, and goes on when that is shown, or when `goes_on` is done."""

    def __init__(self, *sayings: str) -> None:
        self.sayings = sayings or ("half of it",)
        self.scene: Scene
        self.runs = 0
        self.goes_on: Callable[[], Awaitable[None]] | None = None

    async def run(self, args: NoArgs, ctx: ToolContext) -> ToolResult:
        self.runs += 1
        for saying in self.sayings:
            ctx.progress(saying)
            if self.goes_on is not None:
                await self.goes_on()
            else:
                await self._is_shown(saying)
        return ToolResult(data={"read": 7}, markdown="read all of it")

    async def _is_shown(self, saying: str) -> None:
        async def is_there() -> bool:
            return any(saying in each for each in shown(self.scene))

        await until(is_there)

    def tools(self, **more: Any) -> Mapping[str, Sequence[Tool[Any]]]:
        tool = a_tool(name="read_slowly", title="Read slowly", run=self.run, args=NoArgs, **more)
        return {**TOOLS, "updates": [*TOOLS["updates"], tool]}


@asynccontextmanager
async def showing(
    folder: Path,
    slow: Slow,
    timing: ProgressTiming = AT_ONCE,
    tool: Mapping[str, Any] | None = None,
    **more: Any,
) -> AsyncIterator[Scene]:
    async with open_scene(
        folder, tools=slow.tools(**(tool or {})), progress=timing, **more
    ) as opened:
        slow.scene = opened
        opened.seat(*EVERYBODY)
        yield opened


async def test_what_a_slow_tool_says_is_one_message_that_is_edited_to_its_end(
    tmp_path: Path,
) -> None:
    slow = Slow("3 of 7", "6 of 7")
    async with showing(tmp_path, slow) as scene:
        said = await scene.ask("!read slowly")
        await hurry(scene)

        first, *edits = progress_events(scene)
        assert shown(scene) == ["⏳ 3 of 7", "⏳ 6 of 7", "✔️ Finished."]
        assert first["sender"] == UPDATES
        assert first["content"]["msgtype"] == "m.notice"
        assert "m.new_content" not in first["content"]
        assert {each["content"]["m.relates_to"]["event_id"] for each in edits} == {
            first["event_id"]
        }
        answers = [each for each in said if "read all of it" in each.body]
        assert len(answers) == 1
        assert "m.new_content" not in answers[0].content


async def test_the_message_stands_where_the_answer_will(tmp_path: Path) -> None:
    async with showing(tmp_path, Slow()) as scene:
        said = await scene.ask("!read slowly")

        notice, answer = said[0], said[-1]
        assert notice.content["m.relates_to"] == answer.content["m.relates_to"]
        assert notice.content["m.mentions"] == {}


async def test_a_quick_tool_makes_no_noise(tmp_path: Path) -> None:
    slow = Slow()

    async def at_once() -> None:
        """Shown after some time only."""

    slow.goes_on = at_once
    async with showing(tmp_path, slow, NEVER) as scene:
        said = await scene.ask("!read slowly")

        assert [each.body for each in said] == ["read all of it"]
        assert [each for each in await turn_states(scene.database) if "progress" in each] == []


@pytest.mark.parametrize("breaks", [ToolFailedError("The disk is full."), RuntimeError("secret")])
async def test_a_tool_that_fails_leaves_nothing_that_goes_on(
    tmp_path: Path, breaks: Exception
) -> None:
    slow = Slow("one", "two")

    async def fail_at_the_second() -> None:
        await slow._is_shown("one")
        if len(shown(slow.scene)) > 1:
            raise breaks

    slow.goes_on = fail_at_the_second
    async with showing(tmp_path, slow) as scene:
        await scene.ask("!read slowly")
        await hurry(scene)

        assert shown(scene)[-1] == "✔️ Finished."


async def test_where_answers_do_not_grow_a_question_is_preceded_by_it_too(
    tmp_path: Path, model: ModelServer
) -> None:
    model.will(calls(("read_slowly", "{}")), says("All seven."))
    async with showing(tmp_path, Slow(), model_url=model.base_url, lists=LISTS) as scene:
        scene.stub.state[ROOM, "m.room.power_levels", ""] = {"users": {PERSON: 100}}
        await scene.ask("!settings stream off")
        said = await scene.ask("@lycatra: what is new?")
        await hurry(scene)

        assert [each.by for each in said] == [MAIN, MAIN]
        assert said[0].body == "⏳ half of it"
        assert "All seven." in said[1].body
        assert shown(scene)[-1] == "✔️ Finished."


async def test_what_is_for_the_asker_alone_is_not_shown_to_the_room(tmp_path: Path) -> None:
    slow = Slow(SECRET)

    async def at_once() -> None:
        await asyncio.sleep(0)

    slow.goes_on = at_once
    async with showing(tmp_path, slow, tool={"audience": Audience.ASKER}) as scene:
        await scene.ask("!read slowly")

        assert SECRET not in str(scene.stub.rooms[ROOM].events)
        assert shown(scene) == []


async def test_a_room_can_do_without(tmp_path: Path) -> None:
    slow = Slow()

    async def at_once() -> None:
        await asyncio.sleep(0)

    slow.goes_on = at_once
    async with showing(tmp_path, slow, lists=LISTS) as scene:
        scene.stub.state[ROOM, "m.room.power_levels", ""] = {"users": {PERSON: 100}}
        await scene.ask("!settings quiet progress")
        await scene.ask("!read slowly")

        assert shown(scene) == []


async def test_a_run_after_a_crash_goes_on_with_the_same_message(tmp_path: Path) -> None:
    slow = Slow()

    async def crash() -> None:
        await slow._is_shown("half of it")
        slow.goes_on = None
        slow.sayings = ("the other half",)
        await die_here()

    slow.goes_on = crash
    async with showing(tmp_path, slow) as scene:
        await scene.push(scene.message("!read slowly"))
        [(lease, turn)] = await scene.engine.store.claim(LaneKind.COMMAND, 1)
        with cut_off():
            await scene.runner.run(lease, turn, go_on=False)
        await scene.engine.store.put_back(lease, turn, timedelta(0), failed=False)
        await hurry(scene)
        await hurry(scene)

        assert shown(scene) == ["⏳ half of it", "⏳ the other half", "✔️ Finished."]
        assert [each.body for each in scene.said()].count("read all of it") == 1
        assert slow.runs == 2


async def test_while_it_goes_on_nobody_says_that_it_is_over(tmp_path: Path) -> None:
    slow = Slow("one", "two")

    async def look() -> None:
        await slow._is_shown("one")
        await hurry_end(slow.scene)

    slow.goes_on = look
    async with showing(tmp_path, slow) as scene:
        await scene.ask("!read slowly")

        assert "✔️ Finished." not in shown(scene)
        await hurry(scene)
        assert shown(scene)[-1] == "✔️ Finished."


async def hurry_end(scene: Scene) -> None:
    """Have whoever shows the end look now."""
    await query(scene.database, "UPDATE turn SET run_at = 0 WHERE trigger_id LIKE 'progress:%'")
    await query(scene.database, "UPDATE lane SET ready_at = 0 WHERE key LIKE 'progress:%'")
    await work_off(scene, LaneKind.CONTROL)


async def stop(scene: Scene, slow: Slow) -> None:
    """Let a person stop the call while it runs, as the worker does it."""
    await slow._is_shown("half of it")
    await scene.push(scene.message("!stop"))
    await work_off(scene, LaneKind.CONTROL)
    await die_here()


async def test_one_that_was_stopped_says_so(tmp_path: Path) -> None:
    slow = Slow()
    slow.goes_on = lambda: stop(slow.scene, slow)
    async with showing(tmp_path, slow) as scene:
        await scene.push(scene.message("!read slowly"))
        [(lease, turn)] = await scene.engine.store.claim(LaneKind.COMMAND, 1)
        with cut_off():
            await scene.runner.run(lease, turn, go_on=False)
        await scene.runner.end_cancelled(lease, turn, timedelta(0), go_on=False)
        await hurry(scene)

        assert shown(scene)[-1] == "⏹️ Stopped."


async def test_words_that_were_changed_end_it_and_begin_another(tmp_path: Path) -> None:
    slow = Slow()
    asked: dict[str, JSON] = {}

    async def reword() -> None:
        await slow._is_shown("half of it")
        slow.goes_on = None
        slow.sayings = ("anew",)
        await slow.scene.push(edit(slow.scene, asked, "!read slowly "))
        await slow.scene.push(edit(slow.scene, asked, "!list updates 5"))
        await work_off(slow.scene, LaneKind.CONTROL)
        await die_here()

    slow.goes_on = reword
    async with showing(tmp_path, slow) as scene:
        asked = scene.message("!read slowly")
        await scene.push(asked)
        [(lease, turn)] = await scene.engine.store.claim(LaneKind.COMMAND, 1)
        with cut_off():
            await scene.runner.run(lease, turn, go_on=False)
        await hurry(scene)

        assert shown(scene) == ["⏳ half of it", "⏹️ Stopped."]
        assert any("5 updates" in each.body for each in scene.said())


async def test_redacting_the_question_takes_it_along(tmp_path: Path) -> None:
    slow = Slow(SECRET)
    async with showing(tmp_path, slow) as scene:
        asked = scene.message("!read slowly")
        await scene.hear(asked)
        await hurry(scene)
        await scene.hear(redaction(scene, asked["event_id"]))
        await hurry(scene)

        gone = {
            event["content"]["redacts"]
            for event in scene.stub.rooms[ROOM].events
            if event["type"] == "m.room.redaction"
        }
        assert {event["event_id"] for event in progress_events(scene)} <= gone
        assert SECRET not in await all_texts(scene.database)


async def test_a_homeserver_that_will_not_have_it_delays_nothing(tmp_path: Path) -> None:
    slow = Slow()
    refused = asyncio.Event()

    async def until_refused() -> None:
        async def tried() -> bool:
            return not slow.scene.stub.failures[0].times

        await until(tried)
        refused.set()

    slow.goes_on = until_refused
    async with showing(tmp_path, slow) as scene:
        failure = Failure(
            method="PUT",
            contains="/send/m.room.message/",
            status=403,
            errcode="M_FORBIDDEN",
            user=UPDATES,
        )
        scene.stub.failures.append(failure)
        await scene.ask("!read slowly")
        await hurry(scene)

        assert refused.is_set()
        assert any("read all of it" in each.body for each in scene.said())


async def test_an_approved_change_shows_it_below_its_card(tmp_path: Path) -> None:
    slow = Slow()
    change = {"effect": Effect.CHANGE}
    async with showing(tmp_path, slow, tool=change, lists=LISTS) as scene:
        seat_people(scene)
        await scene.ask("!read slowly")
        assert shown(scene) == []

        await vote(scene)
        await hurry(scene)

        assert shown(scene) == ["⏳ half of it", "✔️ Finished."]
        assert any("read all of it" in each.body for each in scene.said())


async def test_an_answer_does_not_wait_for_a_message_that_hangs(tmp_path: Path) -> None:
    slow = Slow()
    hanging = asyncio.Event()

    async def until_it_hangs() -> None:
        async def tried() -> bool:
            return not slow.scene.stub.failures[0].times

        await until(tried)

    slow.goes_on = until_it_hangs
    async with showing(tmp_path, slow) as scene:
        path = "/send/m.room.message/"
        scene.stub.failures.append(
            Failure(method="PUT", contains=path, status=500, user=UPDATES, hang=hanging)
        )
        said = await scene.ask("!read slowly")
        await hurry(scene)
        hanging.set()

        assert said[0].body == "read all of it"
        assert shown(scene)[-1] == "✔️ Finished."


async def test_no_secret_of_the_configuration_is_shown_on_the_way(tmp_path: Path) -> None:
    slow = Slow(f"asking with {SECRET}")

    async def until_shown() -> None:
        await slow._is_shown("asking with ***")

    slow.goes_on = until_shown
    async with showing(tmp_path, slow, conceal=lambda text: text.replace(SECRET, "***")) as scene:
        await scene.ask("!read slowly")

        assert shown(scene) == ["⏳ asking with ***"]
        assert SECRET not in await all_texts(scene.database)
