"""What is heard of an answer on its way, and what of it may be shown at a moment."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from lycatra_appservice.chat.draft_looks import Saying
from lycatra_appservice.chat.hearing import Hearing, Readers
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.model import RoomID, UserID
from lycatra_appservice.ops.masking import Masker
from lycatra_appservice.toolkit.base import Audience
from lycatra_appservice.toolkit.registry import Registry
from lycatra_appservice.words.catalogue import in_english
from tests.support.scene import MAIN, NAMESPACES, OTHER, PERSON, TOOLS, NoArgs
from tests.support.toolbench import a_tool

SECRET = "correct-horse-battery"
TOOLBOX = {
    **TOOLS,
    "services": [
        a_tool(name="show_salary", title="Show salary", args=NoArgs, audience=Audience.ASKER)
    ],
}


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def hearing(clock: Callable[[], float], *others: UserID, is_alone: bool | None = None) -> Hearing:
    async def alone() -> bool:
        return not others if is_alone is None else is_alone

    room = RoomView(
        room_id=RoomID("!room"),
        name=None,
        encrypted=False,
        people=dict.fromkeys([PERSON, *others]),
        ours=frozenset({MAIN}),
    )
    readers = Readers(asker=PERSON, room=room, is_alone=alone, wants_progress=True)
    registry = Registry(NAMESPACES, TOOLBOX)
    preview = Masker([SECRET]).preview
    return Hearing(readers, registry, preview, timedelta(seconds=3), clock)


async def said(heard: Hearing) -> str | None:
    saying = await heard.saying()
    return None if saying is None else in_english(saying.said)


async def test_who_waits_for_a_model_sees_the_place_after_three_seconds(clock: Clock) -> None:
    heard = hearing(clock)
    heard.waits(2)
    assert await said(heard) is None
    clock.now += 2
    heard.waits(1)
    assert heard.seconds_to_place == pytest.approx(1)
    clock.now += 1
    assert await said(heard) == "⏳ The language model is busy: 1 ahead of you."
    heard.waits(0)
    assert await said(heard) == "⏳ The language model is busy: you are next."


async def test_a_place_is_not_shown_any_longer_when_it_is_ones_turn(clock: Clock) -> None:
    heard = hearing(clock)
    heard.waits(2)
    clock.now += 3
    await said(heard)
    heard.news.clear()

    heard.asks()

    assert heard.news.is_set()
    assert await said(heard) == "⏳ Working on it …"
    heard.wrote("Yes")
    assert await said(heard) == "Yes …"


async def test_what_was_written_before_a_call_or_another_question_is_not_the_answer(
    clock: Clock,
) -> None:
    heard = hearing(clock)
    heard.wrote("Let me see.")
    heard.calls(["list_updates", "list_updates"])
    assert await said(heard) == "⏳ Say something …"
    heard.calls([])
    assert await said(heard) is None
    heard.wrote("Hm")
    heard.asks()
    heard.wrote("Three.")
    assert await heard.saying() == Saying("Three. …", is_words=True)


async def test_what_a_slow_tool_says_is_shown_while_it_runs(clock: Clock) -> None:
    heard = hearing(clock)
    tool = TOOLS["updates"][0]
    heard.calls(["list_updates"])
    with heard.during(tool) as hear:
        hear("3 of\n7")
        assert await said(heard) == "⏳ 3 of 7"
    assert await said(heard) == "⏳ Say something …"


async def test_others_learn_neither_of_a_private_tool_nor_of_what_may_rest_on_it(
    clock: Clock,
) -> None:
    heard = hearing(clock, OTHER)
    heard.wrote("Let me see")
    assert await said(heard) == "Let me see …"
    heard.calls(["show_salary"])
    assert await said(heard) == "⏳ Working on it …"
    with heard.during(TOOLBOX["services"][0]) as hear:
        hear("reading 4711")
        assert await said(heard) == "⏳ Working on it …"
    heard.calls([])
    heard.asks()
    heard.wrote("4711")
    assert await said(heard) == "⏳ Working on it …"
    assert not heard.has_shown_private


async def test_the_only_one_there_reads_it_unless_others_may_come_in(clock: Clock) -> None:
    heard, open_room = hearing(clock), hearing(clock, is_alone=False)
    for each in (heard, open_room):
        each.calls(["show_salary"])
        each.calls([])
        each.wrote("4711")

    assert await said(heard) == "4711 …"
    assert heard.has_shown_private
    assert await said(open_room) == "⏳ Working on it …"


async def test_no_part_of_a_secret_is_shown_wherever_it_is_cut(clock: Clock) -> None:
    heard = hearing(clock)
    heard.wrote("It is ")
    for letter in SECRET:
        heard.wrote(letter)
        assert await said(heard) in {"It is …", "It is *** …"}
    heard.wrote(", I think")
    assert await said(heard) == "It is ***, I think …"


def test_a_preview_holds_back_only_what_may_begin_a_secret() -> None:
    masker = Masker(["abcd", "abcdefgh"])
    assert masker.preview("x abcdef") == "x "
    assert masker.preview("x abcdefgh") == "x ***"
    assert masker.preview("x abcdz") == "x ***z"
    assert masker.preview("") == ""
    assert Masker([]).preview("abc") == "abc"


async def test_what_is_too_long_to_read_along_is_not_shown(clock: Clock) -> None:
    heard = hearing(clock)
    heard.wrote("word " * 3000)

    assert await said(heard) is None
