"""Edits in every state of the question, by whoever sends them."""

from datetime import timedelta

import pytest

from lycatra_appservice.chat.room_settings import RoomSettingsStore
from lycatra_appservice.model import JSON, LaneKind
from tests.support.homeserver_stub import Failure
from tests.support.model_server import ModelServer, says
from tests.support.scene import EVERYBODY, MAIN, OTHER, PERSON, ROOM, UPDATES, Scene
from tests.support.turns import query, turn_states
from tests.unit.chat.revising import (
    NOW_MS,
    all_texts,
    edit,
    on_the_homeserver,
    stored_triggers,
    taken_back_there,
    turn_row,
    work_off,
)

OTHER_ROOM = "!another-room"
THREAD = {"rel_type": "m.thread", "event_id": "$root", "is_falling_back": True}


async def test_a_question_that_waits_is_answered_by_its_new_words_only(scene: Scene) -> None:
    scene.seat(*EVERYBODY)
    asked = scene.message("!list updates 2")
    await scene.push(asked, edit(scene, asked, "!list updates 9"))
    await work_off(scene, LaneKind.CONTROL)

    await scene.work()

    [answer] = scene.said()
    assert answer.body.startswith("9 updates")
    assert answer.content["m.relates_to"]["m.in_reply_to"]["event_id"] == asked["event_id"]
    assert answer.content["org.lycatra.reply"]["to"] == asked["event_id"]
    assert (await stored_triggers(scene))[0] == asked["event_id"]


async def test_a_question_that_is_being_answered_begins_anew(scene: Scene) -> None:
    scene.seat(*EVERYBODY)
    asked = scene.message("!list updates 2")
    await scene.push(asked)
    [(lease, turn)] = await scene.engine.store.claim(LaneKind.COMMAND, 1)
    await scene.push(edit(scene, asked, "!list updates 9"))
    await work_off(scene, LaneKind.CONTROL)

    await scene.runner.run(lease, turn, go_on=False)  # the old run, which has not noticed yet
    await scene.work()

    [answer] = scene.said()
    assert answer.body.startswith("9 updates")


async def test_after_the_answer_one_line_says_that_it_is_too_late(scene: Scene) -> None:
    scene.seat(*EVERYBODY)
    asked = scene.message("!list updates 2")
    await scene.hear(asked)
    changed = edit(scene, asked, "!list updates 9")

    [late] = await scene.hear(changed)

    assert late.by == MAIN
    assert "ask in a new message" in late.body
    assert late.content["msgtype"] == "m.notice"
    assert late.content["m.relates_to"]["m.in_reply_to"]["event_id"] == asked["event_id"]
    assert late.content["org.lycatra.reply"]["to"] == changed["event_id"]
    assert not await scene.hear(edit(scene, asked, "!list updates 8"))


@pytest.mark.parametrize("body", ["!list updates 2", "  !List   UPDATES 2 "])
async def test_nothing_is_said_when_the_words_are_the_same(scene: Scene, body: str) -> None:
    scene.seat(*EVERYBODY)
    asked = scene.message("!list updates 2")
    await scene.hear(asked)

    assert not await scene.hear(edit(scene, asked, body))


async def test_nothing_is_said_where_the_room_does_not_want_it(scene: Scene) -> None:
    scene.seat(*EVERYBODY)
    asked = scene.message("!list updates 2")
    await scene.hear(asked)
    await RoomSettingsStore(scene.database).choose(ROOM, "quiet", ["edited"], by=PERSON)

    assert not await scene.hear(edit(scene, asked, "!list updates 9"))


async def test_what_has_begun_to_change_something_is_not_taken_back(scene: Scene) -> None:
    scene.seat(*EVERYBODY)
    asked = scene.message("!restart service nginx")
    await scene.push(asked)
    [(lease, turn)] = await scene.engine.store.claim(LaneKind.COMMAND, 1)
    await scene.engine.journal.record(lease, turn, "1:restart", "h", done=False, output=None)
    await RoomSettingsStore(scene.database).choose(ROOM, "quiet", ["edited"], by=PERSON)

    [late] = await scene.hear(edit(scene, asked, "!restart service postgres"))

    assert "cannot take it back" in late.body
    assert "look at what it did" in late.body
    assert not await scene.hear(edit(scene, asked, "never mind"))
    assert "nginx" in (await turn_row(scene, asked["event_id"]))["input"]


async def test_a_message_that_becomes_a_command_is_run(scene: Scene) -> None:
    scene.seat(*EVERYBODY)
    said = scene.message("list updates please", sender=PERSON)
    on_the_homeserver(scene, said)
    assert not await scene.hear(said)

    answers = await scene.hear(edit(scene, said, "!list updates 4"))

    assert [(each.by, each.body.split()[0]) for each in answers] == [(UPDATES, "4")]
    assert answers[0].content["m.relates_to"]["m.in_reply_to"]["event_id"] == said["event_id"]


async def test_a_message_that_was_never_stored_becomes_a_question_by_its_edit(
    scene: Scene,
) -> None:
    scene.seat(*EVERYBODY)
    said = scene.message("list updates please")
    on_the_homeserver(scene, said)
    changed = edit(scene, said, "!list updates 4")

    assert len(await scene.hear(changed)) == 1
    assert not await scene.hear({**changed, "event_id": "$again"})
    assert (await stored_triggers(scene))[1] == said["event_id"]


@pytest.mark.parametrize(
    ("about", "change"),
    [
        ("another author", {"sender": OTHER}),
        ("too old", {"origin_server_ts": NOW_MS - 600_001}),
        ("no message", {"type": "m.sticker"}),
        ("state", {"state_key": ""}),
        ("taken back", {"content": {}, "unsigned": {"redacted_because": {}}}),
        ("an edit itself", {"content": {"m.relates_to": {"rel_type": "m.replace"}}}),
        ("malformed", {"content": "text", "sender": 7}),
    ],
)
async def test_an_edit_of_what_never_was_ours_is_followed_only_for_its_author_and_in_time(
    scene: Scene, about: str, change: dict[str, JSON]
) -> None:
    scene.seat(*EVERYBODY)
    said = scene.message("list updates please")
    on_the_homeserver(scene, {**said, **change})
    # As the author that it claims: only what the homeserver says counts.
    changed = edit(scene, {**said, "origin_server_ts": NOW_MS}, "!list updates 4")

    assert not await scene.hear(changed), about

    assert await stored_triggers(scene) == [changed["event_id"]]


async def test_an_edit_of_an_event_that_nobody_knows_is_nothing(scene: Scene) -> None:
    scene.seat(*EVERYBODY)
    changed = edit(scene, scene.message("gone"), "!list updates 4")

    assert not await scene.hear(changed)
    assert await stored_triggers(scene) == [changed["event_id"]]


async def test_what_people_edit_among_themselves_costs_no_request_and_is_not_kept(
    scene: Scene,
) -> None:
    crowd = [PERSON, OTHER, *(f"@crowd{n}:hs.test" for n in range(3))]
    scene.seat(*map(type(PERSON), crowd), MAIN)
    await scene.rooms.view(ROOM)
    asked_before = len(scene.stub.requests)

    assert not await scene.hear(edit(scene, scene.message("hello all"), "hello everybody"))

    assert len(scene.stub.requests) == asked_before
    assert "everybody" not in await all_texts(scene.database)


async def test_only_the_author_may_change_a_question(scene: Scene) -> None:
    scene.seat(*EVERYBODY)
    asked = scene.message("!list updates 2")
    await scene.push(asked, edit(scene, asked, "!list updates 9", sender=OTHER))
    await work_off(scene, LaneKind.CONTROL)
    await scene.work()

    assert [answer.body.split()[0] for answer in scene.said()] == ["2"]
    assert not await scene.hear(edit(scene, asked, "!list updates 9", sender=OTHER))


async def test_an_edit_from_another_room_changes_nothing(scene: Scene) -> None:
    scene.seat(*EVERYBODY)
    scene.seat(*EVERYBODY, room_id=type(ROOM)(OTHER_ROOM))
    asked = scene.message("!list updates 2")
    elsewhere = {**asked, "room_id": OTHER_ROOM}
    await scene.push(asked, edit(scene, elsewhere, "!list updates 9"))
    await work_off(scene, LaneKind.CONTROL)
    await scene.work()

    assert [answer.body.split()[0] for answer in scene.said()] == ["2"]


async def test_a_question_that_is_no_longer_for_us_is_not_answered_until_it_is_again(
    scene: Scene,
) -> None:
    scene.seat(*EVERYBODY)
    asked = {**scene.message("!list updates 2"), "origin_server_ts": NOW_MS}
    on_the_homeserver(scene, asked)
    await scene.push(asked, edit(scene, asked, "never mind"))
    await work_off(scene, LaneKind.CONTROL)
    assert not await scene.hear()
    assert "updates" not in (await turn_row(scene, asked["event_id"]))["input"]

    [answer] = await scene.hear(edit(scene, asked, "!list updates 3"))

    assert answer.body.startswith("3 updates")


async def test_a_question_that_becomes_a_command_is_run_as_one(
    asking: Scene, model: ModelServer
) -> None:
    asking.seat(*EVERYBODY)
    asked = asking.message("lycatra: what is new?")
    await asking.push(asked, edit(asking, asked, "!list updates 5"))
    await work_off(asking, LaneKind.CONTROL)

    assert (await turn_row(asking, asked["event_id"]))["lane"] == f"{ROOM}|command"
    await asking.work()

    assert [answer.by for answer in asking.said()] == [UPDATES]
    assert not model.asked


async def test_an_edited_question_in_a_thread_stays_there(
    asking: Scene, model: ModelServer
) -> None:
    asking.seat(*EVERYBODY)
    asked = asking.message("lycatra: what is gnu?", m_relates_to=THREAD)
    await asking.push(asked, edit(asking, asked, "lycatra: what is new?"))
    await work_off(asking, LaneKind.CONTROL)
    model.will(says("Nothing."))

    await asking.work()

    [answer] = asking.said()
    assert answer.content["m.relates_to"]["event_id"] == "$root"
    assert [asked.said[-1] for asked in model.asked] == [f"{PERSON}: what is new?"]


async def test_an_edit_counts_by_its_own_age(scene: Scene) -> None:
    scene.seat(*EVERYBODY)
    asked = scene.message("!restart service nginx", age=timedelta(minutes=1))
    await scene.push(
        asked, edit(scene, asked, "!restart service nginx now", age=timedelta(minutes=30))
    )
    await work_off(scene, LaneKind.CONTROL)
    await scene.work()

    [answer] = scene.said()
    assert "too old" in answer.body


async def test_the_words_of_edits_are_not_kept_beside_the_question(scene: Scene) -> None:
    scene.seat(*EVERYBODY)
    asked = scene.message("!list updates 2")
    await scene.hear(asked)
    await scene.hear(edit(scene, asked, "!list updates swordfish"))
    await scene.hear(edit(scene, asked, "!list updates swordfish again", sender=OTHER))

    assert "swordfish" not in await all_texts(scene.database)


async def test_an_edit_of_something_taken_back_is_nothing(scene: Scene) -> None:
    scene.seat(*EVERYBODY)
    said = scene.message("list updates please")
    on_the_homeserver(scene, said)
    await scene.hear(said)
    taken_back_there(scene, said["event_id"])

    assert not await scene.hear(edit(scene, said, "!list updates 4"))


async def test_an_edit_that_runs_again_after_a_crash_says_nothing_wrong(scene: Scene) -> None:
    scene.seat(*EVERYBODY)
    asked = scene.message("!list updates 2")
    changed = edit(scene, asked, "!list updates 9")
    await scene.push(asked, changed)
    await work_off(scene, LaneKind.CONTROL)
    await scene.work()
    await query(
        scene.database,
        "UPDATE turn SET trigger_id = 'cron:gone' WHERE trigger_id = :t",
        t=changed["event_id"],
    )

    assert not await scene.hear(changed)

    assert (await turn_states(scene.database))[changed["event_id"]] == "done"
    assert len(scene.said()) == 1


async def test_a_homeserver_that_is_away_is_waited_for(scene: Scene) -> None:
    scene.seat(*EVERYBODY)
    said = scene.message("list updates please")
    on_the_homeserver(scene, said)
    scene.stub.fail(
        Failure(method="GET", contains="/event/", status=502, errcode="M_UNKNOWN", times=2)
    )

    assert len(await scene.hear(edit(scene, said, "!list updates 4"))) == 1
