"""The model goes away while its draft is read: what people are left with."""

import asyncio
from pathlib import Path

from tests.support.drafting import AT_ONCE, is_nothing_live, reads, shown, stands
from tests.support.model_server import ModelServer, calls, delta, refuses, writes
from tests.support.scene import EVERYBODY, MAIN, UPDATES, open_scene
from tests.unit.chat.test_draft import Slow

AWAY = refuses(401, {"message": "no such key"})


async def test_plain_facts_of_another_user_leave_no_draft_behind(
    tmp_path: Path, model: ModelServer
) -> None:
    slow = Slow()
    model.will(calls(("read_slowly", "{}")), AWAY)
    async with open_scene(
        tmp_path, model_url=model.base_url, drafts=AT_ONCE, tools=slow.tools()
    ) as scene:
        scene.seat(*EVERYBODY)
        slow.goes_on = lambda: reads(scene, "Read slowly")
        await scene.ask("lycatra: what updates are there?")

        assert shown(scene)[0].sender == MAIN
        [facts] = stands(scene)
        assert "this is what `!list updates` finds" in facts
        assert shown(scene)[-1].sender == UPDATES
        assert is_nothing_live(scene)


async def test_what_is_said_instead_of_an_answer_stands_in_the_place_of_its_draft(
    tmp_path: Path, model: ModelServer
) -> None:
    slow = Slow()
    model.will(calls(("read_slowly", "{}")), AWAY)
    async with open_scene(
        tmp_path, model_url=model.base_url, drafts=AT_ONCE, tools=slow.tools()
    ) as scene:
        scene.seat(*EVERYBODY)
        slow.goes_on = lambda: reads(scene, "Read slowly")
        await scene.ask("lycatra: please write a poem about all of it")

        [instead] = stands(scene)
        assert "Without it you can use" in instead
        assert "Read slowly" not in instead
        assert {each.sender for each in shown(scene)} == {MAIN}
        assert is_nothing_live(scene)


async def test_words_that_were_read_stay_above_the_reason_why_no_more_came(
    tmp_path: Path, model: ModelServer
) -> None:
    was_read = asyncio.Event()
    call = {"index": 0, "id": "a", "function": {"name": "list_updates", "arguments": "{"}}
    model.will(
        writes(delta(content="Let me see. "), was_read, delta(tool_calls=[call]), end="cut")
    )
    async with open_scene(tmp_path, model_url=model.base_url, drafts=AT_ONCE) as scene:
        scene.seat(*EVERYBODY)
        asking = asyncio.create_task(scene.ask("lycatra: please write a poem"))
        await reads(scene, "Let me see.")
        was_read.set()
        await asking

        [said] = stands(scene)
        assert said.startswith("Let me see.")
        assert "I lost the connection" in said
        assert is_nothing_live(scene)
