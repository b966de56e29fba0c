"""The rows of a draft, on both stores: before the answer's, fenced, found by whoever goes on."""

from datetime import timedelta
from typing import Final

import pytest

from lycatra_appservice.model import JSON, EventID, LaneKind, Outgoing, SendKind
from lycatra_appservice.turns.delivery import Dropped, RetryLater
from lycatra_appservice.turns.drafts import DRAFT, DraftRows, DraftTable, ShownDraft
from lycatra_appservice.turns.echoes import Echo, Echoes
from lycatra_appservice.turns.forgetting import Forgetting, Forgotten
from lycatra_appservice.turns.progress import Showing
from lycatra_appservice.turns.records import LaneLostError, Lease, StoredTurn
from lycatra_appservice.turns.sending import Sending, SendLaterError
from tests.contract.conftest import Replicas
from tests.support.turns import (
    BOT,
    ROOM,
    Figures,
    Replica,
    Rooms,
    ScriptedHandler,
    message,
    query,
    trigger,
    turn_states,
)

LIVE: Final[dict[str, JSON]] = {"org.matrix.msc4357.live": {}}
FIRST: Final = -1_000_000
EARLIER: Final = RetryLater(timedelta(0), "too many", was_refused=True)


def live(body: str) -> Outgoing:
    out = message(body)
    return Outgoing(
        kind=out.kind,
        room_id=out.room_id,
        sender=BOT,
        content={**out.content, **LIVE},
    )


def edit(body: str, **more: JSON) -> dict[str, JSON]:
    relation = {"rel_type": "m.replace"}
    new = {"msgtype": "m.text", "body": body, **more}
    return {"body": body, "m.new_content": new, "m.relates_to": relation, **more}


async def claimed(replica: Replica) -> tuple[Lease, StoredTurn]:
    [(lease, turn)] = await replica.store.claim(LaneKind.ASK, 1)
    return lease, turn


async def started(replicas: Replicas) -> tuple[Replica, Lease, StoredTurn]:
    replica = await replicas.add(ScriptedHandler())
    await replica.inbox.store([trigger("$a")])
    lease, turn = await claimed(replica)
    return replica, lease, turn


def rows_of(replica: Replica, rooms: Rooms, lease: Lease, turn: StoredTurn) -> DraftRows:
    sending = Sending(replica.journal, rooms, Figures())
    return DraftRows(replica.journal, sending, lease, turn)


async def show(rows: DraftRows, words: str) -> Showing:
    return await rows.show([live(words)], edit(words, **LIVE), "en")


async def answer(replica: Replica, rooms: Rooms, lease: Lease, turn: StoredTurn) -> None:
    """What the runner does with an answer that takes the draft's place."""
    sending = Sending(replica.journal, rooms, Figures())
    standing = await rows_of(replica, rooms, lease, turn).settle()
    assert standing is not None
    out = Outgoing(
        kind=SendKind.EDIT,
        room_id=standing.room_id,
        sender=BOT,
        content=edit("the answer"),
        target_n=standing.n,
    )
    pending = await replica.store.begin_sending(lease, turn, turn.first_n, [out])
    await sending.send_all(lease, turn, pending)
    await replica.store.finish(lease, turn, "done", go_on=False)


async def ended(replica: Replica) -> ShownDraft:
    about = {"of": "$a", "n": FIRST, "parks": 0}
    shown = await DraftTable(replica.database).find(about)
    assert shown is not None
    return shown


async def test_a_draft_and_the_turn_that_ends_it_are_stored_together_and_go_out_first(
    replicas: Replicas, rooms: Rooms
) -> None:
    replica, lease, turn = await started(replicas)
    rows = rows_of(replica, rooms, lease, turn)

    assert await show(rows, "one") is Showing.SHOWN
    assert await show(rows, "two") is Showing.SHOWN
    assert list(await turn_states(replica.database)) == ["$a", f"{DRAFT}:$a:{FIRST}"]
    assert not (await ended(replica)).is_over
    await answer(replica, rooms, lease, turn)

    assert rooms.said() == ["one", "two", "the answer"]
    assert [row.n for row in rooms.timeline] == [FIRST, FIRST + 1, 0]
    assert [row.target for row in rooms.timeline] == [None, "$event-1", "$event-1"]
    shown = await ended(replica)
    assert (shown.is_over, shown.has_ended, shown.is_settled) == (True, True, True)


async def test_who_has_lost_the_lane_shows_nothing(replicas: Replicas, rooms: Rooms) -> None:
    replica, lease, turn = await started(replicas)
    rows = rows_of(replica, rooms, lease, turn)
    await show(rows, "one")
    await replica.forget_leases()
    await replica.upkeep.free_dead()

    with pytest.raises(LaneLostError):
        await show(rows, "two")

    assert rooms.said() == ["one"]


async def test_a_second_replica_goes_on_with_the_same_draft(
    replicas: Replicas, rooms: Rooms
) -> None:
    replica, lease, turn = await started(replicas)
    await show(rows_of(replica, rooms, lease, turn), "one")
    await replica.crash()
    await replica.forget_leases()
    heir = await replicas.add(ScriptedHandler())
    await heir.upkeep.free_dead()
    lease, turn = await claimed(heir)
    rows = rows_of(heir, rooms, lease, turn)

    standing = await rows.standing()
    assert standing is not None
    assert (standing.n, standing.edits) == (FIRST, 0)
    assert await show(rows, "two") is Showing.SHOWN
    await answer(heir, rooms, lease, turn)

    assert [row.target for row in rooms.timeline] == [None, "$event-1", "$event-1"]


async def test_a_run_with_other_words_goes_on_with_it_too(
    replicas: Replicas, rooms: Rooms
) -> None:
    replica, lease, turn = await started(replicas)
    await show(rows_of(replica, rooms, lease, turn), "one")
    await replica.revisions.replace(trigger("$a", text="other words"), reopen=False)
    lease, turn = await claimed(replica)
    assert turn.first_n > 0

    await answer(replica, rooms, lease, turn)

    assert rooms.said() == ["one", "the answer"]
    assert rooms.timeline[-1].target == "$event-1"


async def test_what_is_refused_for_now_is_left_out_and_nothing_waits_for_it(
    replicas: Replicas, rooms: Rooms
) -> None:
    replica, lease, turn = await started(replicas)
    rows = rows_of(replica, rooms, lease, turn)
    rooms.script("one", EARLIER)
    with pytest.raises(SendLaterError):
        await show(rows, "one")
    assert await rows.standing() is None
    assert await show(rows, "two") is Showing.SHOWN
    rooms.script("three", EARLIER)
    with pytest.raises(SendLaterError):
        await show(rows, "three")

    await answer(replica, rooms, lease, turn)

    assert rooms.said() == ["two", "the answer"]


async def test_an_edit_of_which_nobody_knows_is_left_out(replicas: Replicas, rooms: Rooms) -> None:
    replica, lease, turn = await started(replicas)
    rows = rows_of(replica, rooms, lease, turn)
    await show(rows, "one")
    rooms.script("two", RetryLater(timedelta(0), "away"))
    with pytest.raises(SendLaterError):
        await show(rows, "two")

    await answer(replica, rooms, lease, turn)

    assert rooms.said() == ["one", "the answer"]


async def test_a_draft_of_which_nobody_knows_is_looked_for_before_the_answer(
    replicas: Replicas, rooms: Rooms
) -> None:
    replica, lease, turn = await started(replicas)
    rows = rows_of(replica, rooms, lease, turn)
    rooms.script("one", RetryLater(timedelta(0), "away"))
    with pytest.raises(SendLaterError):
        await show(rows, "one")

    await answer(replica, rooms, lease, turn)

    assert rooms.said() == ["one", "the answer"]
    assert rooms.looks("one") == [False, True]
    assert rooms.timeline[-1].target == "$event-1"


async def test_where_it_may_not_be_shown_nothing_more_is_tried(
    replicas: Replicas, rooms: Rooms
) -> None:
    replica, lease, turn = await started(replicas)
    rows = rows_of(replica, rooms, lease, turn)
    rooms.script("one", Dropped("may not speak"))

    assert await show(rows, "one") is Showing.NOWHERE
    assert await rows.settle() is None


async def test_only_the_last_words_are_kept(replicas: Replicas, rooms: Rooms) -> None:
    replica, lease, turn = await started(replicas)
    rows = rows_of(replica, rooms, lease, turn)
    for words in ("one", "two", "three", "four"):
        await show(rows, words)

    stored = await query(replica.database, "SELECT content FROM send ORDER BY n")
    assert ["two" in each["content"] for each in stored] == [False] * 4
    assert "four" in stored[-1]["content"]
    assert (await ended(replica)).content["body"] == "four"


async def test_a_last_word_before_a_card_ends_it(replicas: Replicas, rooms: Rooms) -> None:
    replica, lease, turn = await started(replicas)
    rows = rows_of(replica, rooms, lease, turn)
    await show(rows, "one")

    await rows.end(edit("people are asked"))

    assert rooms.said() == ["one", "people are asked"]
    assert await rows.standing() is None
    assert (await ended(replica)).has_ended


async def test_an_edit_that_became_a_message_does_not_end_it(
    replicas: Replicas, rooms: Rooms
) -> None:
    replica, lease, turn = await started(replicas)
    await show(rows_of(replica, rooms, lease, turn), "one")
    await answer(replica, rooms, lease, turn)
    plain = '{"msgtype": "m.text", "body": "the answer"}'
    await query(
        replica.database,
        "UPDATE send SET content = :plain WHERE n = 0 RETURNING n",
        plain=plain,
    )

    shown = await ended(replica)
    assert (shown.is_over, shown.has_ended) == (True, False)


async def test_when_a_turn_ends_its_drafts_end_is_looked_at_at_once(
    replicas: Replicas, rooms: Rooms
) -> None:
    replica, lease, turn = await started(replicas)
    await show(rows_of(replica, rooms, lease, turn), "one")
    assert await replica.store.claim(LaneKind.CONTROL, 1) == []

    await replica.store.finish(lease, turn, "cancelled", go_on=False)

    [(_, end)] = await replica.store.claim(LaneKind.CONTROL, 1)
    assert end.trigger_id == f"{DRAFT}:$a:{FIRST}"


async def test_only_what_came_after_the_last_word_is_put_right(
    replicas: Replicas, rooms: Rooms
) -> None:
    replica, lease, turn = await started(replicas)
    rows = rows_of(replica, rooms, lease, turn)
    await show(rows, "one")
    await show(rows, "two")
    echoes, draft = Echoes(replica.database), EventID("$event-1")
    stranger = Echo(EventID("$late"), draft)
    assert await echoes.repairs([stranger]) == []  # the answer is still to come
    await answer(replica, rooms, lease, turn)

    assert await echoes.repairs([Echo(EventID("$event-2"), draft)]) == []
    assert await echoes.repairs([Echo(EventID("$late"), EventID("$other"))]) == []
    [found] = await echoes.repairs([stranger])
    assert found.id == f"repair:$a:{FIRST}"
    last = await echoes.last_word({"of": "$a", "n": FIRST})
    assert last is not None
    assert (last.row.content["body"], last.draft) == ("the answer", draft)


async def test_forgetting_the_turn_forgets_what_was_said_last_of_its_draft(
    replicas: Replicas, rooms: Rooms
) -> None:
    replica, lease, turn = await started(replicas)
    await show(rows_of(replica, rooms, lease, turn), "one")
    await replica.store.finish(lease, turn, "cancelled", go_on=False)
    [(end_lease, end)] = await replica.store.claim(LaneKind.CONTROL, 1)
    await replica.store.begin_sending(end_lease, end, 0, [message("one, stopped")])
    forgetting = Forgetting(replica.database)
    assert await forgetting.is_being_shown("$a")
    await replica.store.finish(end_lease, end, "done", go_on=False)

    assert await forgetting.forget_turn("$a") is Forgotten.DONE

    stored = await query(replica.database, "SELECT content FROM send")
    assert {each["content"] for each in stored} == {"{}"}
    assert len(await forgetting.traces("$a")) == 2


async def test_a_draft_that_people_redacted_is_no_place_for_an_answer(
    replicas: Replicas, rooms: Rooms
) -> None:
    replica, lease, turn = await started(replicas)
    rows = rows_of(replica, rooms, lease, turn)
    await show(rows, "one")
    await replica.inbox.store([trigger("forget:$event-1", ROOM, LaneKind.JOB)])

    assert await show(rows, "two") is Showing.NOWHERE
    standing = await rows.standing()
    assert standing is not None
    assert standing.is_redacted
