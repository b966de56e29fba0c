"""Who takes part in a thread, on both databases."""

import json
from datetime import timedelta

import pytest

from lycatra_appservice.chat.threads import ThreadStore
from lycatra_appservice.db.connection import Database
from lycatra_appservice.model import JSON, EventID, UserID
from tests.support.turns import query

THREAD = EventID("$thread")
ANN = UserID("@ann:hs.test")
BEN = UserID("@ben:hs.test")


@pytest.fixture
def store(database: Database) -> ThreadStore:
    return ThreadStore(database)


async def test_who_writes_alone_has_no_others_beside_him(store: ThreadStore) -> None:
    await store.note(THREAD, ANN, 1_000)
    await store.note(THREAD, ANN, 2_000)

    assert not await store.has_others(THREAD, ANN, 3_000)
    assert await store.has_others(THREAD, BEN, 3_000)


async def test_a_second_person_is_there_for_both_from_then_on(store: ThreadStore) -> None:
    await store.note(THREAD, ANN, 1_000)
    await store.note(THREAD, BEN, 2_000)

    assert not await store.has_others(THREAD, ANN, 1_999)
    assert await store.has_others(THREAD, ANN, 2_000)
    assert await store.has_others(THREAD, BEN, 2_000)


async def test_whoever_is_heard_late_counts_from_when_he_wrote(store: ThreadStore) -> None:
    await store.note(THREAD, BEN, 5_000)
    await store.note(THREAD, BEN, 2_000)
    await store.note(THREAD, BEN, 9_000)

    assert not await store.has_others(THREAD, ANN, 1_999)
    assert await store.has_others(THREAD, ANN, 2_000)


async def test_other_threads_are_others(store: ThreadStore) -> None:
    await store.note(EventID("$other"), BEN, 1_000)

    assert not await store.has_others(THREAD, ANN, 2_000)


async def test_what_is_old_is_forgotten(store: ThreadStore, database: Database) -> None:
    [now] = await query(database, "SELECT lycatra_now() AS ms")
    await store.note(THREAD, ANN, now["ms"] - 90_000)
    await store.note(THREAD, BEN, now["ms"])

    await store.forget(timedelta(minutes=1))

    rows = await query(database, "SELECT user_id FROM thread_voice")
    assert [row["user_id"] for row in rows] == [BEN]


@pytest.mark.parametrize(
    ("relation", "thread"),
    [
        ({"rel_type": "m.thread", "event_id": "$thread"}, THREAD),
        ({"m.in_reply_to": {"event_id": "$thread"}}, None),
        ({"rel_type": "m.annotation", "event_id": "$thread"}, None),
        (None, None),
    ],
)
async def test_the_thread_of_an_answer_is_known(
    store: ThreadStore, database: Database, relation: JSON, thread: EventID | None
) -> None:
    for statement in (
        "INSERT INTO lane (key, kind, ready_at) VALUES ('room|ask', 'ask', 0)",
        "INSERT INTO turn (lane, trigger_id, run_at, created_at, input) "
        "VALUES ('room|ask', '$question', 0, 0, '{}')",
    ):
        await query(database, statement)
    await query(
        database,
        "INSERT INTO send (turn_id, n, trigger_id, kind, room, sender, txn_id, content, event_id) "
        "SELECT id, 0, trigger_id, 'message', '!room', '@lycatra:hs.test', 'txn', :content, "
        "'$answer' FROM turn",
        content=json.dumps({"body": "x", **({"m.relates_to": relation} if relation else {})}),
    )

    assert await store.of_answer(EventID("$answer")) == thread
    assert await store.of_answer(EventID("$unknown")) is None
