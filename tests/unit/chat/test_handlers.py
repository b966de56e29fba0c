"""What comes of stored messages: answers, refusals, and silence where it is right."""

from collections.abc import Mapping

import pytest

from lycatra_appservice.model import JSON
from tests.support.homeserver_stub import Failure
from tests.support.scene import (
    EVERYBODY,
    MAIN,
    OTHER,
    PERSON,
    ROOM,
    SERVICES,
    STRANGER,
    UPDATES,
    Scene,
)
from tests.support.turns import query, turn_states

LIST = "3 updates\n\nmore with limit=9"


# Commands


COMMANDS = [
    ("!list updates", UPDATES, LIST),
    ("/list_updates limit=5", UPDATES, LIST.replace("3", "5")),
    ("!updates list 5", UPDATES, LIST.replace("3", "5")),
    ("lycatra: !list updates", UPDATES, LIST),
    ("lycatra_updates: list", UPDATES, LIST),
    ("!help", MAIN, "!list updates"),
    ("lycatra", MAIN, "!list updates"),
    ("!get status", SERVICES, "The disk is full."),
    ("!list updates limit=99", UPDATES, "`limit` must be a whole number from 1 to 50"),
    ("!list updates limmit=9", UPDATES, "did you mean `limit`?"),
    ("!help updates", MAIN, "!list updates"),
    ("!whoami", MAIN, "viewer"),
    ("!get status me", MAIN, "I do not know what to do with `me`. An example: `!get status`"),
    ("lycatra: !lst updates", MAIN, "Did you mean `!list updates`?"),
    ("lycatra: !xyzzy", MAIN, "`!help` shows what I can do."),
    ("!restart service", SERVICES, "needs the approval"),
    ("!crash hard", SERVICES, "failed because of a mistake in it"),
]


async def test_a_command_is_answered_by_its_namespaces_user(scene: Scene) -> None:
    scene.seat(*EVERYBODY)

    for words, by, said in COMMANDS:
        [answer] = await scene.ask(words)

        assert answer.by == by, words
        assert said.replace("`", "") in answer.body.replace("`", ""), words
        assert "secret detail" not in answer.body
        assert answer.content["msgtype"] == "m.notice"
        assert answer.content["m.mentions"] == {}
        assert "m.in_reply_to" in answer.content["m.relates_to"]


async def test_a_person_without_rights_reads_what_is_missing(scene: Scene) -> None:
    scene.seat(STRANGER, OTHER, MAIN, UPDATES)

    [answer] = await scene.ask("!list updates", sender=STRANGER)

    assert "needs a viewer" in answer.body


async def test_a_command_that_was_pushed_twice_runs_once(scene: Scene) -> None:
    scene.seat(*EVERYBODY)
    asked = scene.message("!list updates")

    assert len(await scene.hear(asked)) == 1
    assert await scene.hear(asked) == []


async def test_what_is_not_meant_for_us_is_left_alone_in_a_group(scene: Scene) -> None:
    scene.seat(*EVERYBODY)

    for words in ("!weather", "!lst updates", "good morning", "!", "who is lycatra?"):
        assert await scene.ask(words) == [], words
    assert set((await turn_states(scene.database)).values()) == {"done"}


async def test_an_unknown_command_in_a_dm_is_answered(scene: Scene) -> None:
    scene.seat(PERSON, MAIN)

    [answer] = await scene.ask("!lst updates")

    assert (answer.by, answer.content["msgtype"]) == (MAIN, "m.notice")
    assert "Did you mean" in answer.body


async def test_what_a_stranger_wrote_is_repeated_without_its_markup(scene: Scene) -> None:
    scene.seat(PERSON, MAIN)

    [answer] = await scene.ask("!xyzzy ` [here](https://evil.example) @room")

    assert "<a " not in answer.content["formatted_body"]


# Who answers where


async def test_a_virtual_user_comes_into_a_group_to_answer(scene: Scene) -> None:
    scene.seat(PERSON, OTHER, MAIN)

    [answer] = await scene.ask("!list updates")

    assert answer.by == UPDATES
    assert scene.stub.rooms[ROOM].members[UPDATES] == "join"
    [row] = await query(scene.database, "SELECT sender FROM send WHERE kind = 'join'")
    assert row["sender"] == UPDATES


async def test_in_a_dm_lycatra_speaks_for_a_virtual_user(scene: Scene) -> None:
    scene.seat(PERSON, MAIN)

    [answer] = await scene.ask("!list updates")

    assert answer.by == MAIN
    assert answer.body == f"Lycatra Updates:\n\n{LIST}"
    assert UPDATES not in scene.stub.rooms[ROOM].members


async def test_a_virtual_user_alone_in_a_dm_answers_itself(scene: Scene) -> None:
    scene.seat(PERSON, UPDATES)

    [listed] = await scene.ask("list")
    [helped] = await scene.ask("!help")

    assert (listed.by, listed.body) == (UPDATES, LIST)
    assert helped.by == UPDATES
    assert "!list updates" in helped.body


async def test_a_virtual_user_in_a_group_without_lycatra_speaks_for_the_others(
    scene: Scene,
) -> None:
    scene.seat(PERSON, OTHER, UPDATES)

    [answer] = await scene.ask("!help")

    assert answer.by == UPDATES
    assert "!list updates" in answer.body


async def test_mentioning_another_person_does_not_hide_the_room_of_a_virtual_user(
    scene: Scene,
) -> None:
    scene.seat(PERSON, UPDATES)

    [answer] = await scene.ask("list", m_mentions={"user_ids": [OTHER]})

    assert answer.by == UPDATES


async def test_one_that_may_not_come_in_is_spoken_for(scene: Scene) -> None:
    scene.seat(PERSON, OTHER, MAIN)
    scene.stub.rooms[ROOM].members[UPDATES] = "ban"

    [answer] = await scene.ask("!list updates")

    assert answer.by == MAIN
    assert "Lycatra Updates" in answer.body


async def test_a_room_that_none_of_us_is_in_any_more_is_left_alone(scene: Scene) -> None:
    scene.seat(PERSON)

    assert await scene.ask("lycatra: !help") == []
    assert list((await turn_states(scene.database)).values()) == ["done"]


@pytest.mark.parametrize("status", [429, 502])
async def test_a_homeserver_that_is_busy_is_asked_again(scene: Scene, status: int) -> None:
    scene.seat(PERSON, UPDATES)
    # The first of us is refused, and the one who is there is told to come later.
    scene.stub.fail(
        Failure(method="GET", contains="/state", status=status, errcode="M_X", user=UPDATES)
    )

    [answer] = await scene.ask("list")

    assert answer.by == UPDATES


async def test_a_reply_to_a_virtual_user_is_answered_by_it(scene: Scene) -> None:
    scene.seat(*EVERYBODY)
    await scene.ask("!list updates")
    reply: JSON = {"m.in_reply_to": {"event_id": scene.last_event_id()}}

    [answer] = await scene.ask("list", m_relates_to=reply)

    assert (answer.by, answer.body) == (UPDATES, LIST)


async def test_a_reply_to_a_question_that_we_answered_is_not_for_us(scene: Scene) -> None:
    scene.seat(*EVERYBODY)
    await scene.ask("!list updates")
    reply: JSON = {"m.in_reply_to": {"event_id": "$pushed1"}}

    assert await scene.ask("I would like to know, too", sender=OTHER, m_relates_to=reply) == []


@pytest.mark.parametrize("root", ["question", "answer"])
async def test_a_thread_that_we_answer_in_needs_no_name(scene: Scene, root: str) -> None:
    scene.seat(*EVERYBODY)
    await scene.ask("lycatra_updates: list")
    event_id = "$pushed1" if root == "question" else scene.last_event_id()
    thread: JSON = {"rel_type": "m.thread", "event_id": event_id}

    [answer] = await scene.ask("!lst updates", m_relates_to=thread)

    assert "Did you mean" in answer.body
    assert answer.content["m.relates_to"]["event_id"] == event_id


async def test_a_thread_of_others_is_not_for_us(scene: Scene) -> None:
    scene.seat(*EVERYBODY)
    thread: JSON = {"rel_type": "m.thread", "event_id": "$theirs"}

    assert await scene.ask("and you?", m_relates_to=thread) == []


async def test_nothing_goes_into_an_encrypted_room(scene: Scene) -> None:
    scene.seat(PERSON, MAIN, state={"m.room.encryption": {"algorithm": "m.megolm.v1"}})

    assert await scene.ask("!help") == []


async def test_a_room_that_becomes_encrypted_gets_nothing_any_more(scene: Scene) -> None:
    scene.seat(*EVERYBODY)
    await scene.ask("!help")
    encryption = scene.event("m.room.encryption", {"algorithm": "m.megolm.v1"})

    await scene.hear({**encryption, "state_key": ""})

    assert await scene.ask("!help") == []


@pytest.mark.parametrize(
    "content",
    [
        {"m.new_content": {"msgtype": "m.text", "body": "!help"}},
        {"m.new_content": {"msgtype": "m.text", "body": "lycatra: !help"}},
        {},
    ],
)
async def test_an_edit_is_no_second_question(scene: Scene, content: Mapping[str, JSON]) -> None:
    scene.seat(*EVERYBODY)
    relation: JSON = {"rel_type": "m.replace", "event_id": "$pushed0"}

    assert await scene.ask("* !help", m_relates_to=relation, **content) == []


async def test_reactions_redactions_and_what_cannot_be_read_are_left_alone(scene: Scene) -> None:
    scene.seat(*EVERYBODY)
    kinds = ("m.reaction", "m.room.redaction", "m.room.encrypted")

    assert await scene.hear(*(scene.event(kind, {"x": 1}) for kind in kinds)) == []
    assert set((await turn_states(scene.database)).values()) == {"done"}


# Apologies


async def test_a_turn_that_breaks_again_and_again_ends_with_an_apology(scene: Scene) -> None:
    scene.seat(*EVERYBODY)
    # No state that any parser could make sense of: a bug of ours, as far as the turn can tell.
    scene.stub.fail(Failure(method="GET", contains="/state", status=200, raw=b"[7]", times=3))

    [answer] = await scene.ask("lycatra_updates: list")

    assert answer.by == UPDATES
    assert "Please tell the person who runs me (reference $pushed1)" in answer.body
    assert list((await turn_states(scene.database)).values()) == ["failed"]


@pytest.mark.parametrize("words", ["good morning", "!weather"])
async def test_nobody_apologises_for_what_nobody_asked(scene: Scene, words: str) -> None:
    scene.seat(*EVERYBODY)
    scene.stub.fail(Failure(method="GET", contains="/state", status=200, raw=b"[7]", times=3))

    assert await scene.ask(words) == []
    assert list((await turn_states(scene.database)).values()) == ["failed"]


# Triggers that are no events


async def test_a_schedules_turn_runs_its_job(scene: Scene) -> None:
    lane, kind = "job|nightly", "job"
    for name in ("nightly", "given_up_long_ago"):
        await query(
            scene.database,
            "INSERT INTO turn (lane, trigger_id, run_at, created_at, input) "
            "VALUES (:lane, :name, 0, 0, '{}')",
            lane=lane,
            name=f"cron:{name}:7",
        )
    await query(
        scene.database,
        "INSERT INTO lane (key, kind, ready_at) VALUES (:lane, :kind, 0)",
        lane=lane,
        kind=kind,
    )

    await scene.work()

    assert scene.scheduled == ["cron:nightly:7"]
    assert set((await turn_states(scene.database)).values()) == {"done"}


async def test_a_trigger_that_cannot_be_read_ends_without_a_word(scene: Scene) -> None:
    scene.seat(*EVERYBODY)
    await scene.push(scene.message("lycatra: !help"))
    await query(scene.database, "UPDATE turn SET input = :deep", deep="[" * 100_000)

    await scene.work()

    assert scene.said() == []
    assert list((await turn_states(scene.database)).values()) == ["done"]


async def test_a_homeserver_that_is_away_for_longer_than_any_patience_is_outlasted(
    scene: Scene,
) -> None:
    scene.seat(PERSON, MAIN)
    scene.stub.fail(Failure(method="GET", contains="/state", status=502, raw=b"oops", times=7))

    [answer] = await scene.ask("!list updates")

    assert answer.by == MAIN


async def test_a_refused_token_says_nothing_about_a_room(scene: Scene) -> None:
    scene.seat(PERSON, MAIN)
    scene.stub.fail(
        Failure(method="GET", contains="/state", status=401, errcode="M_UNKNOWN_TOKEN", times=30)
    )

    [answer] = await scene.ask("!list updates")

    assert answer.by == MAIN


async def test_a_virtual_user_that_was_kicked_is_spoken_for_and_does_not_come_back(
    scene: Scene,
) -> None:
    scene.seat(PERSON, OTHER, MAIN)
    scene.stub.state[ROOM, "m.room.member", UPDATES] = {"membership": "leave"}

    [answer] = await scene.ask("!list updates")

    assert answer.by == MAIN
    assert answer.body.startswith("Lycatra Updates:")
    assert UPDATES not in scene.stub.rooms[ROOM].members


async def test_words_that_were_not_meant_for_us_are_not_kept(scene: Scene) -> None:
    scene.seat(PERSON, OTHER, MAIN)

    assert await scene.ask("this is private") == []

    assert await query(scene.database, "SELECT input FROM turn") == [{"input": "{}"}]
