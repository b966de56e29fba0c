"""What somebody has taken back leaves no words behind, in no table, in every state."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from lycatra_appservice.agent.messages import Message, UserMessage
from lycatra_appservice.chat.conversation import ConversationStore
from lycatra_appservice.db.connection import Database
from lycatra_appservice.db.migrate import UpgradableDatabase
from lycatra_appservice.model import EventID, LaneKind, Outgoing, RoomID, SendKind
from lycatra_appservice.turns.delivery import Delivered
from lycatra_appservice.turns.forgetting import Forgetting, Forgotten
from lycatra_appservice.turns.records import Lease, StoredTurn
from lycatra_appservice.turns.revisions import Replaced, Revisions
from tests.support.turns import (
    BOT,
    ROOM,
    Engine,
    everything,
    message,
    query,
    trigger,
    turn_states,
)

SECRET = "swordfish"
SAID: Sequence[Message] = [UserMessage(text=SECRET)]


async def claim_one(engine: Engine) -> tuple[Lease, StoredTurn]:
    [(lease, turn)] = await engine.store.claim(LaneKind.ASK, 1)
    return lease, turn


def forgetting(database: Database) -> Forgetting:
    return Forgetting(database, [ConversationStore(database)])


async def all_texts(database: Database) -> str:
    history = await query(database, "SELECT * FROM history")
    return str(await everything(database)) + str(history)


async def answer(engine: Engine, *bodies: str, sent: int | None = None) -> None:
    """Ask, look, remember, and send the first of the answer's messages."""
    await engine.inbox.store([trigger("$a", body=SECRET)])
    lease, turn = await claim_one(engine)
    await engine.journal.record(lease, turn, "0:look", "h", done=True, output=SECRET)
    await ConversationStore(engine.database).append("!room", "$a", SAID, run=turn.first_n)
    rows = [message(f"{SECRET} {body}") for body in bodies]
    pending = await engine.store.begin_sending(lease, turn, 0, rows, error=SECRET)
    for each in pending[:sent]:
        event_id = EventID(f"${each.row.content['body'].split()[-1]}")
        await engine.journal.mark_sent(lease, each.row, Delivered(event_id))
    state = "done" if sent is None else "cancelled"
    await engine.store.finish(lease, turn, state, go_on=False, error=SECRET)


async def test_all_words_of_a_turn_go_and_its_bare_rows_stay(database: Database) -> None:
    engine = Engine(database)
    await answer(engine, "one", "two")
    assert SECRET in await all_texts(database)

    assert await forgetting(database).is_remembered("$a")

    for _ in range(2):
        assert await forgetting(database).forget_turn("$a") is Forgotten.DONE

    assert not await forgetting(database).is_remembered("$a")
    assert SECRET not in await all_texts(database)
    assert await turn_states(database) == {"$a": "cancelled"}
    assert await engine.inbox.store([trigger("$a", body=SECRET)]) == 0  # it comes again, by sync
    sends = await query(database, "SELECT event_id, txn_id, room, sender FROM send ORDER BY n")
    assert [send["event_id"] for send in sends] == ["$one", "$two"]
    assert all(send["txn_id"] and send["room"] == ROOM and send["sender"] == BOT for send in sends)


@pytest.mark.parametrize("state", ["queued", "running", "sending"])
async def test_a_turn_that_has_not_ended_is_not_forgotten_under_its_workers_hands(
    database: Database, state: str
) -> None:
    engine = Engine(database)
    await engine.inbox.store([trigger("$a", body=SECRET)])
    held = await claim_one(engine) if state != "queued" else None
    if held is not None:
        await engine.journal.record(*held, "0:look", "h", done=True, output=SECRET)
    if held is not None and state == "sending":
        await engine.store.begin_sending(*held, 0, [message(SECRET)])
    before = await everything(database)

    assert await forgetting(database).forget_turn("$a") is Forgotten.NOT_YET
    assert await forgetting(database).forget_words("$a") is Forgotten.NOT_YET

    assert await everything(database) == before
    await engine.revisions.cancel("$a")
    if held is not None:
        await engine.store.finish(*held, "cancelled", go_on=False)
    assert await forgetting(database).forget_turn("$a") is Forgotten.DONE
    assert SECRET not in await all_texts(database)


async def test_what_is_forgotten_is_never_asked_again(database: Database) -> None:
    engine, revisions = Engine(database), Revisions(database)
    await engine.inbox.store([trigger("$a", body=SECRET)])
    lease, turn = await claim_one(engine)
    await engine.store.finish(lease, turn, "done", go_on=False)
    await forgetting(database).forget_turn("$a")

    assert await revisions.replace(trigger("$a", body=SECRET), reopen=True) is Replaced.OVER
    assert SECRET not in await all_texts(database)


async def test_the_words_alone_go_and_the_answer_stands(database: Database) -> None:
    await answer(Engine(database), "one")

    assert await forgetting(database).forget_words("$a") is Forgotten.DONE

    assert await turn_states(database) == {"$a": "done"}
    [send] = await query(database, "SELECT content FROM send")
    assert SECRET in send["content"]
    left = str([await query(database, f"SELECT * FROM {t}") for t in ("turn", "step", "history")])  # noqa: S608 (fixed names)
    assert SECRET not in left


async def test_one_message_of_an_answer_goes_with_its_edits_and_what_the_turn_had_found(
    database: Database,
) -> None:
    engine = Engine(database)
    await engine.inbox.store([trigger("$a", body="question")])
    lease, turn = await claim_one(engine)
    await engine.journal.record(lease, turn, "0:look", "h", done=True, output=SECRET)
    await ConversationStore(database).append("!room", "$a", SAID, run=turn.first_n)
    edit = Outgoing(
        kind=SendKind.EDIT,
        room_id=RoomID(ROOM),
        sender=BOT,
        content={"body": SECRET},
        rows_back=1,
    )
    rows = [message(SECRET), edit, message("harmless")]
    pending = await engine.store.begin_sending(lease, turn, 0, rows)
    for name, each in zip(("$one", "$edit", "$two"), pending, strict=True):
        await engine.journal.mark_sent(lease, each.row, Delivered(EventID(name)))
    assert await forgetting(database).forget_message(EventID("$one")) is Forgotten.NOT_YET
    await engine.store.finish(lease, turn, "done", go_on=False)

    assert await forgetting(database).forget_message(EventID("$one")) is Forgotten.DONE

    texts = await all_texts(database)
    assert SECRET not in texts
    assert "harmless" in texts
    assert "question" in texts
    assert await turn_states(database) == {"$a": "done"}


async def test_what_nobody_knows_is_unknown(database: Database) -> None:
    assert await forgetting(database).forget_turn("$a") is Forgotten.UNKNOWN
    assert await forgetting(database).forget_words("$a") is Forgotten.UNKNOWN
    assert await forgetting(database).forget_message(EventID("$a")) is Forgotten.UNKNOWN
    assert await forgetting(database).traces("$a") == []


async def test_the_traces_of_a_turn_tell_what_may_be_in_the_room(database: Database) -> None:
    engine = Engine(database)
    await answer(engine, "one", "two", "three", sent=1)
    await query(database, "UPDATE turn SET finished_at = finished_at - 60000")
    await query(database, "UPDATE send SET dropped = 'refused' WHERE n = 2")

    traces = await forgetting(database).traces("$a")

    assert [trace.event_id for trace in traces] == ["$one", None, None]
    assert [trace.is_doubtful for trace in traces] == [False, True, False]
    assert all(trace.ended_ago >= timedelta(minutes=1) for trace in traces)
    assert traces[1].row.sender == BOT


async def test_a_draft_of_an_earlier_run_is_doubtful_too(database: Database) -> None:
    engine = Engine(database)
    await engine.inbox.store([trigger("$a", body=SECRET)])
    lease, turn = await claim_one(engine)
    await engine.journal.write_send(lease, turn, 0, message("draft"))
    await Revisions(database).replace(trigger("$a", body="new"), reopen=False)
    assert await forgetting(database).traces("$a") == []  # it has not ended
    await engine.revisions.cancel("$a")

    [trace] = await forgetting(database).traces("$a")

    assert trace.is_doubtful


# --- what others have read ---


async def asked_after(engine: Engine, name: str, kind: LaneKind = LaneKind.ASK) -> StoredTurn:
    """A turn that runs and has read what was said before."""
    await engine.inbox.store([trigger(name, kind=kind)])
    [(lease, turn)] = await engine.store.claim(kind, 1)
    await engine.journal.record(lease, turn, "0:surroundings", "h", done=True, output=SECRET)
    return turn


async def test_a_later_question_that_has_read_it_is_waited_for(database: Database) -> None:
    engine, forget = Engine(database), forgetting(database)
    await engine.inbox.store([trigger("$b")])
    lease, turn = await claim_one(engine)
    await engine.journal.record(lease, turn, "0:surroundings", "h", done=True, output=SECRET)
    await engine.inbox.store([trigger("$elsewhere", "!room2"), trigger("$new")])

    readers = await forget.readers(RoomID(ROOM))

    assert readers == [turn.id]
    assert await forget.forget_repetitions(RoomID(ROOM), readers) is Forgotten.NOT_YET
    assert SECRET in await all_texts(database)
    await engine.store.finish(lease, turn, "done", go_on=False)
    assert await forget.forget_repetitions(RoomID(ROOM), readers) is Forgotten.DONE
    assert SECRET not in await all_texts(database)


async def test_a_question_that_has_read_it_and_not_yet_noted_so_is_waited_for(
    database: Database,
) -> None:
    engine, forget = Engine(database), forgetting(database)
    await engine.inbox.store([trigger("$b"), trigger("$c", f"{ROOM}|$thread")])
    held = await engine.store.claim(LaneKind.ASK, 2)
    await engine.inbox.store([trigger("$new")])  # waits, so that it will find nothing

    readers = await forget.readers(RoomID(ROOM))

    for lease, turn in held:
        await engine.journal.record(lease, turn, "0:surroundings", "h", done=True, output=SECRET)
    assert await forget.forget_repetitions(RoomID(ROOM), readers) is Forgotten.NOT_YET
    for lease, turn in held:
        await engine.store.finish(lease, turn, "done", go_on=False)
    assert await forget.forget_repetitions(RoomID(ROOM), readers) is Forgotten.DONE
    assert SECRET not in await all_texts(database)


async def test_only_journals_of_ended_questions_in_the_room_go(database: Database) -> None:
    engine, forget = Engine(database), forgetting(database)
    running = await asked_after(engine, "$running")
    command = await asked_after(engine, "$command", LaneKind.COMMAND)
    await query(
        database,
        "UPDATE turn SET state = 'done', finished_at = 1 WHERE id = :id",
        id=command.id,
    )

    assert await forget.forget_repetitions(RoomID("!roo_"), []) is Forgotten.DONE
    assert await forget.forget_repetitions(RoomID(ROOM), []) is Forgotten.DONE

    kept = await query(database, "SELECT turn_id FROM step ORDER BY turn_id")
    assert [step["turn_id"] for step in kept] == [running.id, command.id]


# --- edits are not kept ---


@pytest.mark.parametrize("says", [False, True])
async def test_the_words_of_an_edit_go_when_its_turn_ends(
    database: Database, *, says: bool
) -> None:
    engine = Engine(database)
    await engine.inbox.store([trigger("$edit", kind=LaneKind.CONTROL, body=SECRET)])
    [(lease, turn)] = await engine.store.claim(LaneKind.CONTROL, 1)
    await engine.journal.record(lease, turn, "0:look", "h", done=True, output=1)
    if says:
        await engine.store.begin_sending(lease, turn, 0, [message("too late")])

    await engine.store.finish(lease, turn, "done", go_on=False)

    assert SECRET not in await all_texts(database)


async def test_the_words_of_a_question_that_was_answered_stay_for_their_time(
    database: Database,
) -> None:
    await answer(Engine(database), "one")

    [turn] = await query(database, "SELECT input FROM turn")
    assert SECRET in turn["input"]


async def test_forgetting_and_other_words_at_once_leave_no_words(
    database_pair: tuple[UpgradableDatabase, UpgradableDatabase],
) -> None:
    engine = Engine(database_pair[0])
    forget, revisions = forgetting(database_pair[0]), Revisions(database_pair[1])
    for n in range(15):
        name = f"${n}"
        await engine.inbox.store([trigger(name)])
        lease, turn = await claim_one(engine)
        await engine.store.finish(lease, turn, "done", go_on=False)
        words = trigger(name, body=SECRET, kind=LaneKind.COMMAND)
        async with asyncio.timeout(20):
            forgotten, replaced = await asyncio.gather(
                forget.forget_turn(name), revisions.replace(words, reopen=True)
            )
        # Who came first decides, and the other one knows.
        assert (forgotten is Forgotten.NOT_YET) is (replaced is Replaced.REOPENED)
        if forgotten is Forgotten.NOT_YET:
            await engine.revisions.cancel(name)
            assert await forget.forget_turn(name) is Forgotten.DONE
    assert SECRET not in await all_texts(database_pair[0])
