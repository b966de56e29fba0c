"""A slow answer is shown while it grows: one message, edited to its end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest

from lycatra_appservice.chat.draft import DraftTiming
from lycatra_appservice.chat.draft_looks import DraftLook, Saying
from lycatra_appservice.model import LaneKind, Outgoing, SendKind, UserID
from lycatra_appservice.ops.masking import Masker
from lycatra_appservice.toolkit.base import Tool, ToolContext, ToolResult
from tests.support.approving import LISTS
from tests.support.drafting import (
    AT_ONCE,
    Step,
    is_nothing_live,
    reads,
    shown,
    stands,
    streams,
    texts,
)
from tests.support.homeserver_stub import Failure
from tests.support.model_server import ModelServer, calls, delta, refuses, says, writes
from tests.support.scene import (
    EVERYBODY,
    MAIN,
    NO_DRAFTS,
    OTHER,
    PERSON,
    ROOM,
    TOOLS,
    UPDATES,
    NoArgs,
    Scene,
    open_scene,
)
from tests.support.toolbench import a_tool
from tests.support.turns import query, turn_states, until_true
from tests.unit.chat.revising import hurry, work_off

SEND = "/send/m.room.message/"
ASKED = "lycatra: what is new?"
THIRD = UserID("@third:hs.test")
SECRET = "canary-secret 0815 of the configuration"


@asynccontextmanager
async def asking(
    folder: Path,
    model: ModelServer,
    timing: DraftTiming = AT_ONCE,
    members: Sequence[UserID] = EVERYBODY,
    **more: Any,
) -> AsyncIterator[Scene]:
    async with open_scene(folder, model_url=model.base_url, drafts=timing, **more) as opened:
        opened.seat(*members)
        yield opened


@pytest.fixture
async def scene(tmp_path: Path, model: ModelServer) -> AsyncIterator[Scene]:
    async with asking(tmp_path, model) as opened:
        yield opened


def seen(scene: Scene, words: str) -> Callable[[], Awaitable[None]]:
    """A step of a stream: somebody reads this."""
    return lambda: reads(scene, words)


async def a_moment() -> None:
    """A turn of the loop that both ends share."""
    await asyncio.sleep(0)


async def a_while() -> None:
    """Long enough to be heard."""
    await asyncio.sleep(0.02)


def refused(scene: Scene, **more: Any) -> Failure:
    failure = {"method": "PUT", "contains": SEND, "status": 403, "errcode": "M_FORBIDDEN", **more}
    return scene.stub.fail(Failure(**failure))


class Slow:
    """A tool that ends when it may, and what it says meanwhile."""

    def __init__(self, saying: str | None = None) -> None:
        self.saying = saying
        self.goes_on: Callable[[], Awaitable[None]]

    async def run(self, args: NoArgs, ctx: ToolContext) -> ToolResult:
        if self.saying is not None:
            ctx.progress(self.saying)
        await self.goes_on()
        return ToolResult(data={"read": 7}, markdown="read all of it")

    def tools(self, **more: Any) -> Mapping[str, Sequence[Tool[Any]]]:
        tool = a_tool(name="read_slowly", title="Read slowly", run=self.run, args=NoArgs, **more)
        return {**TOOLS, "updates": [*TOOLS["updates"], tool]}


# How it grows


async def test_an_answer_grows_in_one_message_and_ends_without_the_live_marker(
    scene: Scene, model: ModelServer
) -> None:
    model.will(
        streams("There are ", seen(scene, "There are"), "three ", seen(scene, "three"), "updates.")
    )

    await scene.ask(ASKED)

    first, *edits = shown(scene)
    assert stands(scene) == ["There are three updates."]
    assert texts(scene)[:2] == ["There are …", "There are three …"]
    assert first.edits is None
    assert {each.edits for each in edits} == {first.event_id}
    assert [each.is_live for each in shown(scene)] == [True] * len(edits) + [False]
    assert not any("live" in key for key in edits[-1].content["m.new_content"])
    assert {each.content["msgtype"] for each in shown(scene)} == {"m.text"}


async def test_what_is_quick_is_one_message_without_an_edit(
    tmp_path: Path, model: ModelServer
) -> None:
    async with asking(tmp_path, model, NO_DRAFTS) as scene:
        model.will(says("There ", "are ", "three."))

        [answer] = await scene.ask(ASKED)

        assert answer.body == "There are three."
        assert "m.new_content" not in answer.content
        assert not [each for each in await turn_states(scene.database) if "draft" in each]


async def test_the_first_event_rings_and_stands_where_the_answer_belongs(
    scene: Scene, model: ModelServer
) -> None:
    scene.seat(*EVERYBODY, THIRD)  # so that answers go into threads
    model.will(streams("One.", seen(scene, "One"), " Two."))

    await scene.ask(ASKED)

    first, *edits = shown(scene)
    assert first.content["m.mentions"] == {"user_ids": [PERSON]}
    assert first.content["m.relates_to"]["rel_type"] == "m.thread"
    for edit in edits:
        assert edit.content["m.mentions"] == {}
        assert edit.content["m.relates_to"].keys() == {"rel_type", "event_id"}
        assert "m.relates_to" not in edit.content["m.new_content"]


async def test_in_a_dm_nobody_is_mentioned(tmp_path: Path, model: ModelServer) -> None:
    async with asking(tmp_path, model, members=[PERSON, MAIN]) as scene:
        model.will(streams("One.", seen(scene, "One"), " Two."))

        await scene.ask("what is new?")

        assert [each.content["m.mentions"] for each in shown(scene)] == [{}] * len(shown(scene))


def test_edits_come_rarer_the_longer_it_takes() -> None:
    timing = DraftTiming()

    assert timing.after == timedelta(seconds=1.5)
    pauses = [timing.pause(nth) for nth in range(1, 20)]

    assert pauses[:4] == [1.5, 2.25, 3.375, 5]
    assert set(pauses[4:]) == {5}
    assert max(accumulate(pauses)) < 120


async def test_an_answer_has_twenty_edits_at_most(scene: Scene, model: ModelServer) -> None:
    steps: list[Step] = []
    for n in range(20):
        steps += [f"w{n} ", seen(scene, f"w{n} …")]
    for n in range(9):  # of which nobody sees anything
        steps += [f"x{n} ", *[a_moment] * 30]
    model.will(streams(*steps, "and ", "much ", "more."))

    await scene.ask(ASKED)

    assert len(shown(scene)) == 1 + 20
    assert stands(scene)[0].endswith("and much more.")


async def test_what_has_not_changed_is_not_shown_again(scene: Scene, model: ModelServer) -> None:
    model.will(streams("One.", seen(scene, "One"), "\n", "\n", " ", "\n", seen(scene, "One")))

    await scene.ask(ASKED)

    assert texts(scene) == ["One. …", "One."]


# What is being done


async def test_the_tool_at_work_is_named_and_the_preamble_is_not_the_answer(
    tmp_path: Path, model: ModelServer
) -> None:
    slow = Slow()
    async with asking(tmp_path, model, tools=slow.tools()) as scene:
        slow.goes_on = seen(scene, "⏳ Read slowly …")
        model.will(calls(("read_slowly", "{}"), text="Let me see."), says("All seven."))

        await scene.ask(ASKED)

        assert stands(scene) == ["All seven."]
        assert "⏳ Read slowly …" in texts(scene)
        assert not any("Let me see" in text for text in texts(scene)[-2:])


async def test_what_a_slow_tool_says_goes_into_the_draft_and_no_second_message(
    tmp_path: Path, model: ModelServer
) -> None:
    slow = Slow("3 of 7")
    async with asking(tmp_path, model, tools=slow.tools()) as scene:
        slow.goes_on = seen(scene, "⏳ 3 of 7")
        model.will(calls(("read_slowly", "{}")), says("All seven."))

        await scene.ask(ASKED)
        await hurry(scene)

        assert stands(scene) == ["All seven."]
        assert len({each.edits or each.event_id for each in shown(scene)}) == 1


async def test_a_room_that_wants_no_progress_reads_only_which_tool_it_is(
    tmp_path: Path, model: ModelServer
) -> None:
    slow = Slow("3 of 7")
    async with asking(tmp_path, model, tools=slow.tools(), lists=LISTS) as scene:
        scene.stub.state[ROOM, "m.room.power_levels", ""] = {"users": {PERSON: 100}}
        await scene.ask("!settings quiet progress")
        slow.goes_on = seen(scene, "Read slowly")
        model.will(calls(("read_slowly", "{}")), says("All seven."))

        await scene.ask(ASKED)

        assert "3 of 7" not in str(texts(scene))


# Settings of the room


async def choose(scene: Scene, value: str) -> None:
    scene.stub.state[ROOM, "m.room.power_levels", ""] = {"users": {PERSON: 100}}
    await scene.ask(f"!settings stream {value}")


async def test_off_shows_nothing_before_the_answer(tmp_path: Path, model: ModelServer) -> None:
    async with asking(tmp_path, model) as scene:
        await choose(scene, "off")
        model.will(says("There ", "are ", "three."))

        [answer] = await scene.ask(ASKED)

        assert answer.body == "There are three."
        assert scene.stub.asked("PUT", "/typing/")


async def test_silent_grows_without_a_sound_and_the_answer_is_new_and_rings(
    tmp_path: Path, model: ModelServer
) -> None:
    async with asking(tmp_path, model) as scene:
        await choose(scene, "silent")
        before = len(shown(scene))
        model.will(streams("There are ", seen(scene, "There are"), "three."))

        await scene.ask(ASKED)

        *drafts, answer = shown(scene)[before:]
        assert {each.content["msgtype"] for each in drafts} == {"m.notice"}
        assert all(each.content["m.mentions"] == {} for each in drafts)
        assert answer.edits is None
        assert answer.content["msgtype"] == "m.text"
        assert answer.content["m.mentions"] == {"user_ids": [PERSON]}
        assert stands(scene)[-1:] == ["There are three."]
        assert not any("There are …" in text for text in stands(scene))
        assert is_nothing_live(scene)


async def test_a_user_that_is_not_there_comes_in_for_the_draft(
    tmp_path: Path, model: ModelServer
) -> None:
    async with asking(tmp_path, model, members=[PERSON, OTHER, MAIN]) as scene:
        scene.stub.state[ROOM, "m.room.power_levels", ""] = {"users": {MAIN: 100, PERSON: 100}}
        model.will(streams("One.", seen(scene, "One"), " Two."))

        await scene.ask("lycatra_updates: anything?")

        assert stands(scene) == ["One. Two."]
        assert {each.sender for each in shown(scene)} == {UPDATES}


# The homeserver


async def test_under_a_rate_limit_edits_are_left_out_and_the_answer_comes_whole(
    scene: Scene, model: ModelServer
) -> None:
    limits: list[Failure] = []

    async def limit() -> None:
        failure = refused(
            scene, status=429, errcode="M_LIMIT_EXCEEDED", more={"retry_after_ms": 1}
        )
        limits.append(failure)

    async def used() -> None:
        await until_true(lambda: limits[-1].times == 0)

    model.will(streams("One ", seen(scene, "One"), limit, "two ", used, "three."))

    await scene.ask(ASKED)

    assert stands(scene) == ["One two three."]
    rows = await query(scene.database, "SELECT dropped FROM send WHERE dropped IS NOT NULL")
    assert [row["dropped"].partition(":")[0] for row in rows] == ["left out"]
    assert scene.figures.put_off == {"rate_limit": 1}
    assert scene.figures.sent[SendKind.MESSAGE] == 1
    assert scene.figures.sent[SendKind.EDIT] == sum(bool(each.edits) for each in shown(scene))


async def test_a_draft_that_is_refused_for_now_does_not_delay_the_answer(
    scene: Scene, model: ModelServer
) -> None:
    failure = refused(
        scene, status=429, errcode="M_LIMIT_EXCEEDED", more={"retry_after_ms": 3_600_000}
    )

    async def used() -> None:
        await until_true(lambda: failure.times == 0)

    model.will(streams("One ", used, "two."))

    await scene.ask(ASKED)

    assert stands(scene) == ["One two."]
    assert len(shown(scene)) == 1
    assert is_nothing_live(scene)


async def test_a_draft_that_may_not_be_sent_is_a_message_in_the_end(
    scene: Scene, model: ModelServer
) -> None:
    failures = [refused(scene, user=UPDATES), refused(scene, user=UPDATES)]

    async def used() -> None:
        await until_true(lambda: failures[0].times == 0)

    model.will(streams("One ", used, "two."))

    await scene.ask("lycatra_updates: anything?")

    assert [text for text in stands(scene) if "One two." in text]


async def test_a_draft_that_somebody_redacted_is_followed_by_a_message(
    scene: Scene, model: ModelServer
) -> None:
    async def redact() -> None:
        draft = shown(scene)[0].event_id
        event = scene.event("m.room.redaction", {"redacts": draft}, sender=PERSON)
        scene.stub.rooms[ROOM].events.append({**event, "sender": PERSON})
        for each in scene.stub.rooms[ROOM].events:
            if each["event_id"] == draft:
                each["unsigned"] = {"redacted_because": event}
        await scene.push(event)
        await work_off(scene, LaneKind.CONTROL)

    model.will(streams("One ", seen(scene, "One"), redact, "two."))

    await scene.ask(ASKED)

    assert shown(scene)[-1].edits is None
    assert shown(scene)[-1].text == "One two."


async def test_an_answer_does_not_wait_for_an_edit_that_hangs(
    tmp_path: Path, model: ModelServer
) -> None:
    timing = DraftTiming(
        after=timedelta(0), every=timedelta(0), patience=timedelta(milliseconds=1)
    )
    hanging = asyncio.Event()
    async with asking(tmp_path, model, timing) as scene:
        failures: list[Failure] = []

        async def hang() -> None:
            failures.append(refused(scene, status=500, hang=hanging))

        async def hangs() -> None:
            await until_true(lambda: failures[0].times == 0)

        model.will(streams("One ", seen(scene, "One"), hang, "two ", hangs, "three."))
        await scene.ask(ASKED)
        hanging.set()

        assert stands(scene) == ["One two three."]
        assert is_nothing_live(scene)


# What it may not show


async def test_no_secret_is_shown_even_when_it_comes_in_pieces(
    tmp_path: Path, model: ModelServer
) -> None:
    masker = Masker([SECRET])
    async with asking(tmp_path, model, conceal=masker.conceal, preview=masker.preview) as scene:
        half = len(SECRET) // 2
        model.will(
            streams(
                "The key is ",
                seen(scene, "The key is"),
                SECRET[:half],
                "",
                SECRET[half:-1],
                *[a_moment] * 20,
                SECRET[-1] + " and ",
                seen(scene, "*** and"),
                "that is all.",
            )
        )

        await scene.ask(ASKED)

        assert stands(scene) == ["The key is *** and that is all."]
        assert SECRET[:6] not in str(scene.stub.rooms[ROOM].events)


async def test_nothing_in_a_draft_rings_a_room_or_shows_foreign_html(
    scene: Scene, model: ModelServer
) -> None:
    model.will(
        streams(
            "Hello @room and @other:hs.test ",
            seen(scene, "Hello"),
            '<img src="https://evil.test/x"><script>x</script> ',
            "[click](https://matrix.to/#/@other:hs.test) ",
            seen(scene, "click"),
            "done.",
        )
    )

    await scene.ask(ASKED)

    for each in shown(scene):
        content = each.content.get("m.new_content", each.content)
        assert "@room" not in content["body"]
        assert "@other:hs.test" not in content["body"]
        assert "<img" not in content["formatted_body"]
        assert "<script" not in content["formatted_body"]
        assert "matrix.to/#/@other" not in content["formatted_body"]
        assert each.content["m.mentions"].get("room") is None


async def test_code_that_is_being_written_is_closed(scene: Scene, model: ModelServer) -> None:
    model.will(streams("So:\n\n```sh\nls -l\n", seen(scene, "ls -l"), "cat x\n```\n\nThat is it."))

    await scene.ask(ASKED)

    first = shown(scene)[0].content
    assert first["formatted_body"].rstrip().endswith("</code></pre>")
    assert "…" not in first["body"]


async def test_what_turns_out_to_be_thinking_is_taken_back_and_not_shown_the_next_time(
    scene: Scene, model: ModelServer
) -> None:
    thinks = "They want a list."
    model.will(streams(thinks, seen(scene, thinks), "</think>Three ", seen(scene, "Three …")))
    await scene.ask(ASKED)
    taken_back = texts(scene)
    model.will(streams(thinks, *[a_moment] * 20, "</think>Four ", seen(scene, "Four …")))
    await scene.ask(ASKED)

    assert taken_back == [f"{thinks} …", "Three …", "Three"]
    assert texts(scene)[3:] == ["Four …", "Four"]


async def test_an_answer_too_long_to_read_along_stops_growing_and_ends_whole(
    scene: Scene, model: ModelServer
) -> None:
    paragraph = "word " * 300 + "\n\n"
    model.will(streams("Begin. ", seen(scene, "Begin"), *([paragraph] * 6), "The end."))

    await scene.ask(ASKED)

    sizes = [len(str(each.content)) for each in shown(scene) if each.is_live]
    assert max(sizes) < 45_000
    assert any("The end." in text for text in stands(scene))
    assert is_nothing_live(scene)


async def test_what_is_too_large_to_be_shown_is_not_laid_out_again_with_each_word(
    tmp_path: Path, model: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    laid_out: list[Saying] = []
    rows = DraftLook.rows

    def counted(look: DraftLook, saying: Saying) -> Sequence[Outgoing] | None:
        laid_out.append(saying)
        return rows(look, saying)

    monkeypatch.setattr(DraftLook, "rows", counted)
    seldom = DraftTiming(after=timedelta(0), every=timedelta(hours=1), longest=timedelta(hours=1))
    words: list[Step] = ["слово **да** ", a_while] * 10
    async with asking(tmp_path, model, seldom) as scene:
        model.will(streams("слово **да** " * 500, a_while, *words, "конец"))

        await scene.ask(ASKED)

        assert len(laid_out) == 1
        assert any("конец" in text for text in stands(scene))


async def test_a_long_answer_is_the_edit_of_the_draft_and_then_new_messages(
    scene: Scene, model: ModelServer
) -> None:
    paragraph = "größer " * 100 + "**x** `y` " * 100 + "\n\n"
    model.will(streams("Begin. ", seen(scene, "Begin"), *([paragraph] * 6), "The end."))

    await scene.ask(ASKED)

    draft = shown(scene)[0]
    final = next(each for each in shown(scene) if each.edits and not each.is_live)
    later = [each for each in shown(scene) if each.edits is None][1:]
    assert final.edits == draft.event_id
    marks = [each.content["org.lycatra.reply"] for each in (final, *later)]
    assert [mark["part"] for mark in marks] == list(range(1, len(marks) + 1))
    assert {mark["of"] for mark in marks} == {len(marks)}
    assert len(marks) > 1
    assert "The end." in later[-1].text


# When there is no answer


async def test_a_model_that_fails_after_its_tool_leaves_its_line_in_the_drafts_place(
    tmp_path: Path, model: ModelServer
) -> None:
    slow = Slow()
    async with asking(tmp_path, model, tools=slow.tools()) as scene:
        slow.goes_on = seen(scene, "Read slowly")
        model.will(calls(("read_slowly", "{}")), refuses(401))

        await scene.ask(ASKED)
        await hurry(scene)

        [line] = stands(scene)
        assert line.startswith("⚠️")
        assert is_nothing_live(scene)


async def test_what_came_before_a_lost_connection_stays_and_is_marked(
    scene: Scene, model: ModelServer
) -> None:
    shown_first = asyncio.Event()
    model.will(writes(delta(content="One two "), shown_first, end="cut"))
    await scene.push(scene.message(ASKED))
    working = asyncio.create_task(scene.work())
    await reads(scene, "One two")
    shown_first.set()
    await working

    [text] = stands(scene)
    assert text.startswith("One two")
    assert len(text) > len("One two …")
    assert is_nothing_live(scene)
