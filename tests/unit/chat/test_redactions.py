"""What somebody takes back stops, and nothing readable is left of it, here or in the room."""

from dataclasses import replace
from datetime import timedelta

import pytest

from lycatra_appservice.chat.retraction import SETTLED_AFTER
from lycatra_appservice.model import LaneKind
from lycatra_appservice.turns.records import Lease, StoredTurn
from tests.support.homeserver_stub import Failure
from tests.support.model_server import ModelServer, calls, says
from tests.support.scene import EVERYBODY, MAIN, OTHER, PERSON, ROOM, UPDATES, Scene
from tests.support.turns import message, query, turn_states
from tests.unit.chat.revising import (
    all_texts,
    edit,
    on_the_homeserver,
    reaction,
    redaction,
    stored_triggers,
    take_back,
    taken_back_there,
    turn_row,
    work_off,
)

SECRET = "swordfish"
MODERATOR = OTHER


def redacted_by_us(scene: Scene) -> list[tuple[str, str]]:
    """By whom, and which event."""
    return [
        (event["sender"], event["content"]["redacts"])
        for event in scene.stub.rooms[ROOM].events
        if event["type"] == "m.room.redaction"
    ]


def messages_of(scene: Scene, *senders: str) -> list[tuple[str, str]]:
    """Messages and reactions of ours: by whom, and the event's id."""
    return [
        (event["sender"], event["event_id"])
        for event in scene.stub.rooms[ROOM].events
        if event["type"] in ("m.room.message", "m.reaction") and event["sender"] in senders
    ]


async def claim(scene: Scene, kind: LaneKind) -> tuple[Lease, StoredTurn]:
    [(lease, turn)] = await scene.engine.store.claim(kind, 1)
    return lease, turn


@pytest.mark.parametrize("inside", [True, False])
async def test_a_question_that_waits_is_never_answered(scene: Scene, *, inside: bool) -> None:
    scene.seat(*EVERYBODY)
    asked = scene.message(f"!list updates {SECRET}")
    await scene.push(asked, redaction(scene, asked["event_id"], inside=inside))
    await work_off(scene, LaneKind.CONTROL)

    await scene.work()

    assert not scene.said()
    assert SECRET not in await all_texts(scene.database)
    assert (await turn_states(scene.database))[asked["event_id"]] == "cancelled"
    await scene.push(asked)  # by sync, for example
    assert not await scene.hear()


async def test_a_question_that_is_being_answered_ends_and_then_it_is_forgotten(
    scene: Scene,
) -> None:
    scene.seat(*EVERYBODY)
    asked = scene.message(f"!list updates {SECRET}")
    await scene.push(asked)
    lease, turn = await claim(scene, LaneKind.COMMAND)
    await scene.engine.journal.record(lease, turn, "0:look", "h", done=True, output=SECRET)
    await scene.push(redaction(scene, asked["event_id"]))
    await work_off(scene, LaneKind.CONTROL)
    [(job_lease, job)] = await scene.engine.store.claim(LaneKind.JOB, 1)
    await scene.runner.run(job_lease, job, go_on=False)  # too early
    assert SECRET in await all_texts(scene.database)

    await scene.runner.run(lease, turn, go_on=False)
    await scene.work()

    assert not scene.said()
    assert SECRET not in await all_texts(scene.database)
    assert set((await turn_states(scene.database)).values()) == {"cancelled", "done"}


async def test_an_answer_is_redacted_by_who_gave_it_and_nothing_of_it_is_kept(
    asking: Scene, model: ModelServer
) -> None:
    asking.seat(*EVERYBODY)
    model.will(calls(("list_updates", '{"limit": 7}')), says(f"It is {SECRET}."))
    asked = asking.message(f"lycatra: what about {SECRET}?")
    assert len(await asking.hear(asked)) == 1
    assert SECRET in await all_texts(asking.database)

    assert not await asking.hear(redaction(asking, asked["event_id"]))

    assert redacted_by_us(asking) == messages_of(asking, MAIN)
    assert SECRET not in await all_texts(asking.database)
    assert not await query(asking.database, "SELECT * FROM history")
    reasons = {
        event["content"]["reason"]
        for event in asking.stub.rooms[ROOM].events
        if event["type"] == "m.room.redaction"
    }
    assert reasons == {"What this answered was removed."}


async def test_every_part_by_every_user_of_ours_goes(scene: Scene) -> None:
    scene.seat(*EVERYBODY)
    asked = scene.message("lycatra_updates and lycatra_services: status")
    await scene.push(asked)
    lease, turn = await claim(scene, LaneKind.ASK)
    senders = [MAIN, UPDATES, MAIN]
    rows = [replace(message(SECRET, ROOM), sender=sender) for sender in senders]
    pending = await scene.engine.store.begin_sending(lease, turn, 0, rows)
    assert len(pending) == 3
    await scene.engine.store.put_back(lease, turn, timedelta(0), failed=False)
    await scene.work()
    assert [said.by for said in scene.said()] == senders

    await scene.hear(redaction(scene, asked["event_id"]))

    assert redacted_by_us(scene) == messages_of(scene, MAIN, UPDATES)
    assert SECRET not in await all_texts(scene.database)


async def half_sent(scene: Scene, *, arrived: bool) -> str:
    """A question taken back while its answer was on its way; return the question's id."""
    scene.seat(*EVERYBODY)
    asked = scene.message(f"lycatra: {SECRET}?")
    await scene.push(asked)
    lease, turn = await claim(scene, LaneKind.ASK)
    rows = [replace(message(SECRET, ROOM), sender=MAIN)] * 2
    first, _ = await scene.engine.store.begin_sending(lease, turn, 0, rows)
    await scene.push(redaction(scene, asked["event_id"]))
    await work_off(scene, LaneKind.CONTROL)
    await scene.engine.store.finish(lease, turn, "cancelled", go_on=False)
    if arrived:
        row = first.row
        await scene.client.send_event(
            row.room_id, "m.room.message", row.txn_id, row.content, as_user=row.sender
        )
    return str(asked["event_id"])


async def time_passes(scene: Scene, span: timedelta) -> None:
    await query(
        scene.database,
        "UPDATE turn SET finished_at = finished_at - :ms WHERE finished_at IS NOT NULL",
        ms=span // timedelta(milliseconds=1),
    )


async def test_what_arrives_although_it_was_given_up_is_found_and_redacted(scene: Scene) -> None:
    asked = await half_sent(scene, arrived=True)
    await time_passes(scene, SETTLED_AFTER)

    await scene.work()

    assert redacted_by_us(scene) == messages_of(scene, MAIN)
    assert len(redacted_by_us(scene)) == 1
    assert SECRET not in await all_texts(scene.database)
    assert (await turn_states(scene.database))[f"forget:{asked}"] == "done"


async def test_what_may_still_arrive_is_waited_for_but_not_for_ever(scene: Scene) -> None:
    asked = await half_sent(scene, arrived=False)
    await work_off_once(scene, LaneKind.JOB)
    assert SECRET not in await all_texts(scene.database)  # ours is forgotten at once
    assert (await turn_row(scene, f"forget:{asked}"))["finished_at"] is None

    await time_passes(scene, SETTLED_AFTER)
    await scene.work()

    assert (await turn_states(scene.database))[f"forget:{asked}"] == "done"
    assert redacted_by_us(scene) == []


async def work_off_once(scene: Scene, kind: LaneKind) -> None:
    for lease, turn in await scene.engine.store.claim(kind, 9):
        await scene.runner.run(lease, turn, go_on=False)


async def test_a_homeserver_that_is_away_keeps_no_words_here(scene: Scene) -> None:
    scene.seat(*EVERYBODY)
    asked = scene.message(f"!list updates {SECRET}")
    await scene.hear(asked)
    scene.stub.fail(
        Failure(method="PUT", contains="/redact/", status=502, errcode="M_UNKNOWN", times=3)
    )
    await scene.push(redaction(scene, asked["event_id"]))
    await work_off(scene, LaneKind.CONTROL)
    await work_off_once(scene, LaneKind.JOB)
    assert SECRET not in await all_texts(scene.database)
    assert redacted_by_us(scene) == []

    for _ in range(3):
        await query(scene.database, "UPDATE turn SET run_at = 0")
        await query(scene.database, "UPDATE lane SET ready_at = 0 WHERE ready_at IS NOT NULL")
        await scene.work()

    assert redacted_by_us(scene) == messages_of(scene, MAIN)
    assert len(redacted_by_us(scene)) == 1


async def test_somebody_elses_redaction_counts_only_when_the_homeserver_has_followed_it(
    scene: Scene,
) -> None:
    scene.seat(*EVERYBODY)
    asked = scene.message("!list updates 2")
    on_the_homeserver(scene, asked)
    await scene.hear(asked)
    pretended = redaction(scene, asked["event_id"], sender=MODERATOR)

    await scene.hear(pretended)

    assert redacted_by_us(scene) == []
    assert "updates 2" in await all_texts(scene.database)

    taken_back_there(scene, asked["event_id"])
    await scene.hear(redaction(scene, asked["event_id"], sender=MODERATOR))

    assert redacted_by_us(scene) == messages_of(scene, UPDATES)
    assert "updates 2" not in await all_texts(scene.database)


async def test_a_redaction_from_another_room_is_none(scene: Scene) -> None:
    scene.seat(*EVERYBODY)
    scene.seat(*EVERYBODY, room_id=type(ROOM)("!another-room"))
    asked = scene.message("!list updates 2")
    elsewhere = {**redaction(scene, asked["event_id"]), "room_id": "!another-room"}
    await scene.push(asked, elsewhere)
    await work_off(scene, LaneKind.CONTROL)
    await scene.work()

    assert len(scene.said()) == 1


async def test_an_answer_that_a_moderator_took_away_is_forgotten_here_too(
    asking: Scene, model: ModelServer
) -> None:
    asking.seat(*EVERYBODY)
    model.will(says(f"It is {SECRET}."))
    asked = asking.message("lycatra: what is the word?")
    await asking.hear(asked)
    [(_, answer)] = messages_of(asking, MAIN)
    await asking.hear(redaction(asking, answer, sender=MODERATOR))
    assert SECRET in await all_texts(asking.database)

    taken_back_there(asking, answer)
    await asking.hear(redaction(asking, answer, sender=MODERATOR))

    texts = await all_texts(asking.database)
    assert SECRET not in texts
    assert "what is the word" in texts  # the question stands
    assert not await query(asking.database, "SELECT * FROM history")
    assert (await turn_states(asking.database))[asked["event_id"]] == "done"


async def test_later_questions_keep_no_copy_of_what_was_taken_back(
    asking: Scene, model: ModelServer
) -> None:
    asking.seat(PERSON, MAIN)
    model.will(says("Noted."), says("I know."))
    first = asking.message(f"the word is {SECRET}")
    await asking.hear(first)
    await asking.hear(asking.message("do you know it?"))
    [copies] = await query(
        asking.database,
        "SELECT count(*) AS n FROM step WHERE output LIKE :secret AND name LIKE '0:%'",
        secret=f"%{SECRET}%",
    )
    assert copies["n"] == 1

    await asking.hear(redaction(asking, first["event_id"]))

    assert SECRET not in await all_texts(asking.database)
    model.will(says("What?"))
    await asking.hear(asking.message("and now?"))
    assert SECRET not in str(model.asked[-1].body)


async def test_a_redaction_of_what_never_was_ours_costs_nothing(scene: Scene) -> None:
    scene.seat(*EVERYBODY)
    before = len(scene.stub.requests)

    assert not await scene.hear(redaction(scene, "$never"), redaction(scene, "not an id\0"))

    assert len(scene.stub.requests) == before
    assert len(await stored_triggers(scene)) == 2


async def test_a_redaction_that_comes_twice_is_followed_once(scene: Scene) -> None:
    scene.seat(*EVERYBODY)
    asked = scene.message("!list updates 2")
    await scene.hear(asked)
    await scene.hear(redaction(scene, asked["event_id"]))

    await scene.hear(redaction(scene, asked["event_id"]))

    assert len(redacted_by_us(scene)) == 1


async def test_a_late_edit_wakes_nothing_that_was_taken_back(scene: Scene) -> None:
    scene.seat(*EVERYBODY)
    asked = scene.message("just talk")
    on_the_homeserver(scene, asked)
    await scene.hear(asked)
    await scene.hear(take_back(scene, asked))

    assert not await scene.hear(edit(scene, asked, "!list updates 3"))


# --- of edits ---


def with_edit_left(scene: Scene, asked: dict[str, object], left: dict[str, object]) -> None:
    """The homeserver tells the latest edit beside the event."""
    for event in scene.stub.rooms[ROOM].events:
        if event["event_id"] == asked["event_id"]:
            event["unsigned"] = {"m.relations": {"m.replace": left}}


async def test_when_an_edit_is_taken_back_the_original_words_stand_again(scene: Scene) -> None:
    scene.seat(*EVERYBODY)
    asked = scene.message("!list updates 2")
    on_the_homeserver(scene, asked)
    changed = edit(scene, asked, f"!list updates 9 {SECRET}")
    await scene.push(asked, changed, take_back(scene, changed))
    await work_off(scene, LaneKind.CONTROL)

    await scene.work()

    assert [said.body.split()[0] for said in scene.said()] == ["2"]
    assert SECRET not in await all_texts(scene.database)


async def test_when_the_last_of_two_edits_is_taken_back_the_first_one_stands(
    scene: Scene,
) -> None:
    scene.seat(*EVERYBODY)
    asked = scene.message("!list updates 2")
    on_the_homeserver(scene, asked)
    first, second = edit(scene, asked, "!list updates 3"), edit(scene, asked, "!list updates 4")
    await scene.push(asked, first, second, take_back(scene, second))
    with_edit_left(scene, asked, first)
    await work_off(scene, LaneKind.CONTROL)

    await scene.work()

    assert [said.body.split()[0] for said in scene.said()] == ["3"]


async def test_when_an_older_edit_is_taken_back_the_newest_words_stay(scene: Scene) -> None:
    scene.seat(*EVERYBODY)
    asked = scene.message("!list updates 2")
    on_the_homeserver(scene, asked)
    first, second = edit(scene, asked, "!list updates 3"), edit(scene, asked, "!list updates 4")
    await scene.push(asked, first, second)
    with_edit_left(scene, asked, second)
    await work_off(scene, LaneKind.CONTROL)
    lease, turn = await claim(scene, LaneKind.COMMAND)
    await scene.push({**take_back(scene, first), "unsigned": {"age": 5000}})
    await work_off(scene, LaneKind.CONTROL)

    assert await scene.engine.upkeep.beat([lease]) == set()  # it was not disturbed
    await scene.runner.run(lease, turn, go_on=False)
    await scene.work()

    assert [said.body.split()[0] for said in scene.said()] == ["4"]


async def test_the_words_of_an_edit_that_was_answered_are_forgotten_and_the_answer_stands(
    scene: Scene,
) -> None:
    scene.seat(*EVERYBODY)
    asked = scene.message("!list updates 2")
    on_the_homeserver(scene, asked)
    changed = edit(scene, asked, f"!list updates {SECRET}")
    await scene.push(asked, changed)
    await work_off(scene, LaneKind.CONTROL)
    await scene.work()
    assert len(scene.said()) == 1
    assert SECRET in (await turn_row(scene, asked["event_id"]))["input"]

    await scene.hear(take_back(scene, changed))

    assert SECRET not in (await turn_row(scene, asked["event_id"]))["input"]
    assert redacted_by_us(scene) == []
    assert len(scene.said()) == 1


@pytest.mark.parametrize("is_running", [False, True])
async def test_the_words_of_an_edit_are_forgotten_also_when_the_question_was_stopped(
    scene: Scene, *, is_running: bool
) -> None:
    scene.seat(*EVERYBODY)
    asked = scene.message("!list updates 2")
    on_the_homeserver(scene, asked)
    changed = edit(scene, asked, f"!list updates {SECRET}")
    await scene.push(asked, changed)
    await work_off(scene, LaneKind.CONTROL)
    held = await claim(scene, LaneKind.COMMAND) if is_running else None
    if held is not None:
        await scene.engine.journal.record(*held, "0:look", "h", done=True, output=SECRET)
    await scene.push(scene.message("!stop"))
    await work_off(scene, LaneKind.CONTROL)
    if held is not None:
        await scene.runner.run(*held, go_on=False)
    assert SECRET in (await turn_row(scene, asked["event_id"]))["input"]

    await scene.hear(take_back(scene, changed))

    assert SECRET not in await all_texts(scene.database)
    assert (await turn_states(scene.database))[asked["event_id"]] == "cancelled"


# --- of other things ---


async def test_an_answer_to_a_stop_goes_with_it(scene: Scene) -> None:
    scene.seat(*EVERYBODY)
    stop = scene.message("!stop")
    await scene.hear(stop)

    await scene.hear(take_back(scene, stop))

    assert redacted_by_us(scene) == messages_of(scene, MAIN)


async def test_a_reaction_that_is_removed_again_is_no_question(scene: Scene) -> None:
    scene.seat(*EVERYBODY)
    thumb = reaction(scene, "$something", "👍")
    await scene.hear(thumb)

    assert not await scene.hear(take_back(scene, thumb))

    assert set((await turn_states(scene.database)).values()) <= {"done", "cancelled"}
