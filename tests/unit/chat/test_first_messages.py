"""What people write who know nothing of bots: each gets an answer or a next step, and no noise."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from lycatra_appservice.model import JSON
from tests.support.model_server import ModelServer, says
from tests.support.scene import (
    EVERYBODY,
    MAIN,
    OTHER,
    OTHER_BOT,
    PERSON,
    ROOM,
    SERVICES,
    STRANGER,
    UPDATES,
    Scene,
    open_scene,
)
from tests.support.toolbench import Lists
from tests.support.turns import query

THANKS, SEEN = "\U0001f642", "\U0001f44d"


def reactions(scene: Scene) -> Sequence[tuple[str, str, str]]:
    """Who of us reacted, to what, and how."""
    return [
        (event["sender"], relation["event_id"], relation["key"])
        for event in scene.stub.rooms[ROOM].events
        if event["type"] == "m.reaction" and (relation := event["content"]["m.relates_to"])
    ]


# Pictures, files, voice messages


async def test_an_album_is_answered_with_one_line(scene: Scene) -> None:
    scene.seat(PERSON, MAIN)
    album = [scene.message(f"IMG_{n}.jpg", msgtype="m.image") for n in range(5)]

    [answer] = await scene.hear(*album)

    assert answer.by == MAIN
    assert answer.body.startswith("I cannot look at pictures yet.")
    assert answer.content["msgtype"] == "m.notice"


async def test_each_kind_gets_its_line_and_again_after_five_minutes(scene: Scene) -> None:
    scene.seat(PERSON, MAIN)
    assert len(await scene.ask("IMG_1.jpg", msgtype="m.image")) == 1
    assert await scene.ask("IMG_2.jpg", msgtype="m.image") == []
    [answer] = await scene.ask("error.log", msgtype="m.file")
    assert answer.body == "I cannot open files yet. Paste the lines that matter."

    await query(scene.database, "UPDATE notice SET expires_at = expires_at - 300001")

    assert len(await scene.ask("IMG_2.jpg", msgtype="m.image")) == 1


@pytest.mark.parametrize("msgtype", ["m.image", "m.video", "m.audio", "m.file", "m.location"])
async def test_whatever_is_sent_there_is_something_to_do(scene: Scene, msgtype: str) -> None:
    scene.seat(PERSON, MAIN)

    [answer] = await scene.ask("x", msgtype=msgtype)

    assert "yet." in answer.body
    assert "rite" in answer.body or "Paste" in answer.body


async def test_a_picture_in_a_group_is_nobodys_question(scene: Scene) -> None:
    scene.seat(*EVERYBODY)

    assert await scene.ask("lycatra.png", msgtype="m.image") == []


async def test_a_caption_is_a_question_whose_picture_is_not_seen(
    asking: Scene, model: ModelServer
) -> None:
    asking.seat(PERSON, MAIN)
    model.will(says("A fan, perhaps."))

    [answer] = await asking.ask("what is this noise?", msgtype="m.video", filename="VID.mp4")

    assert answer.body.startswith("A fan, perhaps.\n\nI did not look at")
    assert "I cannot watch videos" in answer.body
    assert model.asked[0].said == ['[File "VID.mp4", left out here]\n\nwhat is this noise?']


# Small talk


@pytest.mark.parametrize(
    ("words", "key"), [("thanks!", THANKS), ("vielen Dank", THANKS), ("\U0001f389", SEEN)]
)
async def test_a_thank_you_gets_a_reaction_and_no_model_is_asked(
    asking: Scene, words: str, key: str
) -> None:
    asking.seat(PERSON, MAIN)

    assert await asking.ask(words) == []

    assert reactions(asking) == [(MAIN, "$pushed1", key)]


async def test_thanks_to_one_that_is_not_here_is_taken_by_who_is(scene: Scene) -> None:
    scene.seat(PERSON, OTHER, MAIN)

    await scene.ask("thanks @lycatra_updates:hs.test")

    assert reactions(scene) == [(MAIN, "$pushed1", THANKS)]
    assert UPDATES not in scene.stub.rooms[ROOM].members


async def test_thanks_among_others_are_not_ours(scene: Scene) -> None:
    scene.seat(*EVERYBODY)

    await scene.ask("thanks")

    assert reactions(scene) == []


async def test_a_greeting_without_a_model_gets_help(scene: Scene) -> None:
    scene.seat(PERSON, MAIN)

    [answer] = await scene.ask("hello")

    assert "!list updates" in answer.body


# Several of us


async def test_two_virtual_users_with_a_command_each_answer_in_their_order(scene: Scene) -> None:
    scene.seat(*EVERYBODY)

    first, second = await scene.ask("@lycatra_services get status @lycatra_updates list")

    assert (first.by, first.body) == (SERVICES, "The disk is full.")
    assert (second.by, second.body.partition("\n")[0]) == (UPDATES, "3 updates")


# Did you mean


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("!lst updates", "Did you mean `!list updates`?"),
        ("!helo", "Did you mean `!help`?"),
        ("!stop the music", "Did you mean `!stop`?"),
        ("!restrt service", "Did you mean `!restart service` or `!reset`?"),
        # A tool of operators is named to no viewer, nor is there an example of how to call it.
        ("!serch jurnal", "I do not know the command `!serch jurnal`. `!help` shows"),
        ("!search journal", "needs an operator"),
        ("!search journal now", "needs an operator"),
    ],
)
async def test_only_what_the_person_may_see_is_suggested(
    tmp_path: Path, words: str, said: str
) -> None:
    async with open_scene(tmp_path, lists=Lists(viewer=["*:hs.test"])) as scene:
        scene.seat(PERSON, MAIN)
        [answer] = await scene.ask(words)

    assert said.replace("`", "") in answer.body.replace("`", "")


# Loops


async def test_a_bot_that_the_configuration_names_is_never_answered(scene: Scene) -> None:
    scene.seat(*EVERYBODY, OTHER_BOT)

    for words in ("lycatra: !help", "!help", "lycatra"):
        assert await scene.ask(words, sender=OTHER_BOT) == []
    assert await query(scene.database, "SELECT * FROM turn") == []


async def test_beside_another_bot_only_help_is_told_to_who_names_nobody(scene: Scene) -> None:
    scene.seat(*EVERYBODY, OTHER_BOT)

    assert len(await scene.ask("!help")) == 1
    assert await scene.ask("!whoami") == []
    assert len(await scene.ask("lycatra: !whoami")) == 1


@pytest.mark.parametrize(
    ("content", "hops"),
    [({}, 1), ({"org.lycatra.hops": 2}, 3), ({"org.lycatra.hops": "x"}, 1)],
)
async def test_every_message_of_ours_counts_how_often_bots_have_spoken(
    scene: Scene, content: Mapping[str, JSON], hops: int
) -> None:
    scene.seat(PERSON, MAIN)

    [answer] = await scene.ask("!list updates", **content)
    await scene.ask("thanks", **content)

    assert answer.content["org.lycatra.hops"] == hops
    assert scene.stub.rooms[ROOM].events[-1]["content"]["org.lycatra.hops"] == hops


# Apologies


async def test_in_a_dm_with_only_a_virtual_user_that_one_apologises(
    asking: Scene, model: ModelServer
) -> None:
    asking.seat(PERSON, UPDATES)
    model.will(says("Hello."))
    assert len(await asking.ask("good morning")) == 1
    await query(asking.database, "DROP TABLE history")

    [apology] = await asking.ask("and what is new?")

    assert apology.by == UPDATES
    assert apology.body.startswith("⚠️ ")  # in its own name
    assert "reference $pushed2" in apology.body
    assert apology.content["org.lycatra.hops"] == 1


async def test_nobody_apologises_for_talk_of_others(asking: Scene) -> None:
    asking.seat(PERSON, OTHER, MAIN)
    await query(asking.database, "DROP TABLE history")

    assert await asking.ask("good morning") == []


async def test_a_stranger_reads_what_is_missing(asking: Scene) -> None:
    asking.seat(STRANGER, MAIN)

    [answer] = await asking.ask("good morning", sender=STRANGER)

    assert "no rights" in answer.body
