"""`!stop` ends what the asker has running and waiting here, and says so in one line."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lycatra_appservice.model import JSON, LaneKind, RoomID, UserID
from tests.support.scene import EVERYBODY, MAIN, OTHER, Said, Scene, open_scene
from tests.support.toolbench import Lists
from tests.support.turns import turn_states
from tests.unit.chat.revising import work_off

OPERATOR = UserID("@operator:hs.test")
LISTS = Lists(viewer=["*:hs.test"], operator=[OPERATOR])


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with open_scene(tmp_path, lists=LISTS) as opened:
        opened.seat(*EVERYBODY, OPERATOR)
        yield opened


async def stop(scene: Scene, body: str = "!stop", **more: JSON) -> Said:
    """Write it while everything else waits; return the one line."""
    before = len(scene.said())
    await scene.push(scene.message(body, **more))
    await work_off(scene, LaneKind.CONTROL)
    [line] = scene.said()[before:]
    return line


async def states(scene: Scene, *events: JSON) -> list[str]:
    """What became of these."""
    found = await turn_states(scene.database)
    return [found[event["event_id"]] for event in events]


async def test_what_waits_is_dropped_and_one_line_says_so(scene: Scene) -> None:
    mine, command = scene.message("lycatra: think"), scene.message("!list updates 2")
    await scene.push(mine, command)

    line = await stop(scene)

    assert line.by == MAIN
    assert line.content["msgtype"] == "m.notice"
    assert line.body == "I have stopped, and dropped 2 requests. Nothing more will come of them."
    assert await states(scene, mine, command) == ["cancelled", "cancelled"]
    assert not await scene.hear()


async def test_what_runs_is_told_to_end(scene: Scene) -> None:
    asked = scene.message("lycatra: think")
    await scene.push(asked)
    [(lease, turn)] = await scene.engine.store.claim(LaneKind.ASK, 1)

    line = await stop(scene)

    assert line.body == "I have stopped. Nothing more will come of it."
    await scene.runner.run(lease, turn, go_on=False)
    assert await states(scene, asked) == ["cancelled"]
    assert len(scene.said()) == 1


async def test_nothing_to_stop_is_said_too(scene: Scene) -> None:
    await scene.push(scene.message("lycatra: think", sender=OTHER))

    assert "Nothing that you asked for" in (await stop(scene)).body
    assert "I have stopped" in (await stop(scene, sender=OPERATOR)).body
    assert (await stop(scene, sender=OPERATOR)).body.startswith("Nothing is running")


async def test_the_questions_of_others_go_on_unless_an_operator_stops_them(scene: Scene) -> None:
    theirs = scene.message("lycatra: think", sender=OTHER)
    mine = scene.message("lycatra: think")
    await scene.push(theirs, mine)

    await stop(scene)
    assert await states(scene, theirs, mine) == ["queued", "cancelled"]
    await stop(scene, sender=OPERATOR)
    assert await states(scene, theirs) == ["cancelled"]


async def test_other_rooms_go_on(scene: Scene) -> None:
    scene.seat(*EVERYBODY, room_id=RoomID("!another"))
    elsewhere = scene.message("lycatra: think", room_id=RoomID("!another"))
    await scene.push(elsewhere)

    await stop(scene, sender=OPERATOR)

    assert await states(scene, elsewhere) == ["queued"]


def in_thread(root: str) -> JSON:
    return {"rel_type": "m.thread", "event_id": root}


async def test_in_a_thread_only_that_thread_stops(scene: Scene) -> None:
    begins = scene.message("lycatra: think")  # its answer begins the thread
    inside = scene.message("lycatra: more", m_relates_to=in_thread(begins["event_id"]))
    command = scene.message("!list updates 2", m_relates_to=in_thread(begins["event_id"]))
    outside, other = scene.message("lycatra: x"), scene.message("!list updates 3")
    await scene.push(begins, inside, command, outside, other)

    line = await stop(scene, m_relates_to=in_thread(begins["event_id"]))

    assert line.content["m.relates_to"]["event_id"] == begins["event_id"]
    assert "3 requests" in line.body
    assert await states(scene, begins, inside, command) == ["cancelled"] * 3
    assert await states(scene, outside, other) == ["queued"] * 2


async def test_in_the_room_threads_stop_too(scene: Scene) -> None:
    inside = scene.message("lycatra: more", m_relates_to=in_thread("$root"))
    await scene.push(inside)

    await stop(scene)

    assert await states(scene, inside) == ["cancelled"]


async def test_said_in_other_ways_it_is_the_same(scene: Scene) -> None:
    asked = scene.message("lycatra: think")
    await scene.push(asked)

    assert (await stop(scene, "lycatra: stop")).body.startswith("I have stopped")
    assert await states(scene, asked) == ["cancelled"]


@pytest.mark.parametrize("sign", ["lycatra \U0001f6d1", "lycatra: \u23f9\ufe0f"])
async def test_a_stop_sign_that_is_written_stops_like_one_that_is_a_reaction(
    scene: Scene, sign: str
) -> None:
    asked = scene.message("lycatra: think")
    await scene.push(asked)

    line = await stop(scene, sign)

    assert line.body == "I have stopped. Nothing more will come of it."
    assert await states(scene, asked) == ["cancelled"]


async def test_it_overtakes_a_full_lane(scene: Scene) -> None:
    waiting = [scene.message(f"lycatra: {n}") for n in range(5)]
    await scene.push(*waiting, scene.message("!stop"))
    [(lease, turn)] = await scene.engine.store.claim(LaneKind.ASK, 1)

    await work_off(scene, LaneKind.CONTROL)

    assert [said.body for said in scene.said()] == [
        "I have stopped, and dropped 5 requests. Nothing more will come of them."
    ]
    await scene.runner.run(lease, turn, go_on=False)
    await scene.work()
    assert len(scene.said()) == 1
    assert set(await states(scene, *waiting)) == {"cancelled"}
    assert scene.said()[0].content["m.mentions"] == {}
