"""What is too old is not acted on, and that is told once."""

from datetime import timedelta

import pytest

from lycatra_appservice.model import RoomID
from tests.support.scene import (
    EVERYBODY,
    MAIN,
    OTHER,
    PERSON,
    ROOM,
    UPDATES,
    Scene,
)


@pytest.mark.parametrize(
    ("words", "minutes", "is_answered"),
    [
        ("!list updates", 59, True),
        ("!list updates", 61, False),
        ("!restart service", 9, True),
        ("!restart service", 11, False),
        ("lycatra: what is new?", 9, True),
        ("lycatra: what is new?", 11, False),
        ("lycatra: !lst updates", 11, False),
    ],
)
async def test_what_is_too_old_is_not_acted_on(
    scene: Scene, words: str, minutes: int, is_answered: bool
) -> None:
    scene.seat(*EVERYBODY)

    [answer] = await scene.ask(words, age=timedelta(minutes=minutes))

    assert ("too old to act on" not in answer.body) is is_answered
    if not is_answered:
        assert (answer.by, answer.content["msgtype"]) == (MAIN, "m.notice")


@pytest.mark.parametrize(
    ("age", "words"),
    [
        (timedelta(minutes=61), "about 61 minutes ago"),
        (timedelta(hours=5, minutes=10), "about 5 hours ago"),
        (timedelta(days=6, hours=20), "about 7 days ago"),
    ],
)
async def test_how_old_is_told_in_words(scene: Scene, age: timedelta, words: str) -> None:
    scene.seat(*EVERYBODY)

    [answer] = await scene.ask("!help", age=age)

    assert words in answer.body


async def test_a_backlog_of_days_is_one_line_a_room(scene: Scene) -> None:
    other_room = RoomID("!other")
    scene.seat(*EVERYBODY)
    scene.seat(*EVERYBODY, room_id=other_room)
    backlog = [
        scene.message("!help", age=timedelta(hours=hours), room_id=room)
        for hours in (50, 49, 26, 25, 3)
        for room in (ROOM, other_room)
    ]

    assert len(await scene.hear(*backlog)) == 1
    assert len(scene.said(other_room)) == 1


async def test_the_line_about_age_is_told_by_whoever_is_there(scene: Scene) -> None:
    scene.seat(PERSON, OTHER, UPDATES)

    [answer] = await scene.ask("lycatra_updates: list", age=timedelta(hours=2))

    assert answer.by == UPDATES
    assert answer.body.startswith("I was away")


async def test_old_talk_of_others_is_not_mentioned(scene: Scene) -> None:
    scene.seat(*EVERYBODY)

    assert await scene.ask("good morning", age=timedelta(days=1)) == []


async def test_without_a_pushed_age_the_senders_clock_counts(scene: Scene) -> None:
    scene.seat(*EVERYBODY)
    old = {**scene.message("!help"), "unsigned": {}, "origin_server_ts": 1_000}
    ahead = {**scene.message("!help"), "unsigned": {}, "origin_server_ts": 2**60}

    [told] = await scene.hear(old)
    [answer] = await scene.hear(ahead)

    assert "too old" in told.body
    assert "!list updates" in answer.body
