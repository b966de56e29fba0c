"""What was said before, on both databases."""

import asyncio
import json
from collections.abc import Awaitable, Sequence
from datetime import timedelta

import pytest

from lycatra_appservice.agent.messages import (
    AssistantMessage,
    Message,
    ToolCall,
    ToolMessage,
    UserMessage,
    message_to_json,
)
from lycatra_appservice.chat.conversation import ConversationStore, conversation_of
from lycatra_appservice.chat.memory import Remembered
from lycatra_appservice.db.connection import Database
from lycatra_appservice.db.migrate import migrate
from lycatra_appservice.db.open import open_database
from lycatra_appservice.model import EventID, Inbound, LaneKind, RoomID, UserID
from lycatra_appservice.turns.records import Trigger
from lycatra_appservice.turns.revisions import Replaced, Revisions
from tests.support.turns import Engine, query, trigger, until

CALL = ToolCall(id="call_0", name="list_updates", arguments='{"limit": 3')
TURN: Sequence[Message] = [
    UserMessage(text="nul \0, lone \ud800, \U0001f44d", name="@person:hs.test"),
    AssistantMessage(text="", calls=(CALL,)),
    ToolMessage(call_id="call_0", text="[1, 2, 3]"),
    AssistantMessage(text="Three."),
]


@pytest.fixture
async def store(database: Database) -> ConversationStore:
    engine = Engine(database)
    await engine.inbox.store([trigger("$a", "!a"), trigger("$b", "!b")])
    await engine.store.claim(LaneKind.ASK, 2)
    return ConversationStore(database)


async def said_in(loading: Awaitable[Sequence[Remembered]]) -> Sequence[Message]:
    return [message for turn in await loading for message in turn.messages]


def other_words(name: str) -> Trigger:
    return trigger(name, f"!{name[1:]}", words="other")


async def test_a_conversation_comes_back_as_it_was_in_its_order(store: ConversationStore) -> None:
    later: Sequence[Message] = [UserMessage(text="and now?"), AssistantMessage(text="Four.")]

    assert await said_in(store.load("!room")) == []
    await store.append("!room", "$b", TURN, run=0)
    await store.append("!room", "$a", later, run=0)

    assert await said_in(store.load("!room")) == [*TURN, *later]


async def test_a_turn_that_is_added_again_changes_nothing(store: ConversationStore) -> None:
    await store.append("!room", "$a", TURN, run=0)
    await store.append("!room", "$a", TURN, run=0)
    await store.append("!room", "$a", [UserMessage(text="other words"), *TURN[1:]], run=0)
    async with asyncio.timeout(20):
        await asyncio.gather(*(store.append("!room", "$a", TURN, run=0) for _ in range(5)))

    assert await said_in(store.load("!room")) == TURN


async def test_conversations_do_not_mix(store: ConversationStore) -> None:
    await store.append("!room", "$a", TURN, run=0)
    await store.append("!room|$thread", "$b", [UserMessage(text="in the thread")], run=0)

    assert await said_in(store.load("!room")) == TURN
    assert await said_in(store.load("!room|$thread")) == [UserMessage(text="in the thread")]


async def test_what_a_turn_rests_on_and_whose_it_is_comes_back_with_it(
    store: ConversationStore,
) -> None:
    person = UserID("@person:hs.test")
    await store.append("!room", "$a", TURN, run=0, rests_on={"b", "a"}, only_for=person)
    await store.append("!room", "$b", TURN[:1], run=0)

    assert await store.load("!room") == [
        Remembered(
            trigger_id="$a", messages=TURN, rests_on=frozenset({"a", "b"}), only_for=person
        ),
        Remembered(trigger_id="$b", messages=TURN[:1]),
    ]


async def test_a_turn_of_an_older_version_rests_on_whatever_it_called(
    store: ConversationStore, database: Database
) -> None:
    await store.append("!room", "$a", TURN, run=0)
    await query(database, "UPDATE history SET rests_on = NULL")

    [turn] = await store.load("!room")

    assert turn.rests_on == {"list_updates"}


async def test_of_a_long_conversation_the_latest_come_back(store: ConversationStore) -> None:
    said = [UserMessage(text=str(n)) for n in range(250)]

    await store.append("!room", "$a", said, run=0)

    assert await said_in(store.load("!room")) == said[-200:]


async def test_all_conversations_of_a_room_can_be_read_together_from_the_last_reset_on(
    store: ConversationStore, database: Database
) -> None:
    room, other = RoomID("!room"), RoomID("!room2")
    await store.append("!room", "$a", TURN[:1], run=0)
    await store.append("!room|$thread", "$b", TURN[3:], run=0)

    assert await said_in(store.load_room(room)) == [TURN[0], TURN[3]]
    assert await said_in(store.load_room(other)) == []
    await query(database, 'UPDATE history SET message = \'{"role": "reset"}\' WHERE id = 1')
    assert await said_in(store.load_room(room)) == [TURN[3]]
    assert await store.begun_by("!room") == "$a"
    assert await store.begun_by("!room|$thread") is None


async def test_a_chain_leads_back_turn_by_turn_and_never_into_another_room(
    database: Database,
) -> None:
    engine, store, room = Engine(database), ConversationStore(database), RoomID("!room")
    names = ["$a", "$b", "$c", "$d", "$loop"]
    await engine.inbox.store([trigger(name, f"!{name[1:]}") for name in names])
    await engine.store.claim(LaneKind.ASK, 9)

    def says(name: str) -> list[Message]:
        return [UserMessage(text=name), AssistantMessage(text=f"{name}!")]

    await store.append("!elsewhere", "$a", says("a"), run=0)
    await store.append("!room|$thread", "$b", says("b"), run=0, went_on_from="$a")
    await store.append("!room", "$c", says("c"), run=0, went_on_from="$b")
    await store.append("!room", "$d", says("d"), run=0, went_on_from="$c")
    await store.append("!room", "$loop", says("loop"), run=0, went_on_from="$loop")

    assert [each.trigger_id for each in await store.chain(room, "$d")] == ["$b", "$c", "$d"]
    assert await said_in(store.chain(room, "$c")) == [*says("b"), *says("c")]
    assert await store.chain(room, "$a") == []
    assert await store.chain(room, "$unknown") == []
    async with asyncio.timeout(20):
        assert [each.trigger_id for each in await store.chain(room, "$loop")] == ["$loop"]


async def test_a_question_gets_its_new_words_and_nothing_else_changes(
    store: ConversationStore,
) -> None:
    await store.append("!room", "$a", TURN, run=0, rests_on={"list_updates"})

    await store.reword("$a", "new words")
    await store.reword("$unknown", "new words")

    [turn] = await store.load("!room")
    assert turn.messages == [UserMessage(text="new words", name="@person:hs.test"), *TURN[1:]]
    assert turn.rests_on == {"list_updates"}


async def test_it_is_known_which_questions_brought_a_message_along(
    store: ConversationStore, database: Database
) -> None:
    there = EventID("$there")
    for name in ("$b", "$a", "$a"):
        await store.bring(there, name)
    assert await store.brought_by(there) == ["$a", "$b"]

    await store.not_brought(there, "$a")
    assert await store.brought_by(there) == ["$b"]
    await query(database, "UPDATE brought SET at = at - 86400000")
    await store.forget(timedelta(hours=23))
    assert await store.brought_by(there) == []


async def test_what_is_old_is_forgotten(store: ConversationStore, database: Database) -> None:
    await store.append("!room", "$a", TURN, run=0)
    await query(database, "UPDATE history SET at = at - 86400000")
    await store.append("!room", "$b", [UserMessage(text="new")], run=0)

    await store.forget(timedelta(hours=23))

    assert await said_in(store.load("!room")) == [UserMessage(text="new")]


async def test_of_a_question_with_other_words_only_the_last_run_is_remembered(
    store: ConversationStore, database: Database
) -> None:
    revisions = Revisions(database, [store])
    await store.append("!a", "$a", TURN, run=0)

    assert await revisions.replace(other_words("$a"), reopen=False) is Replaced.RESTARTED

    assert await said_in(store.load("!a")) == []
    await store.append("!a", "$a", TURN, run=0)  # who is late has not noticed yet
    assert await said_in(store.load("!a")) == []
    await Engine(database, "two").store.claim(LaneKind.ASK, 1)
    await store.append("!a", "$a", TURN, run=0)
    await store.append("!a", "$a", TURN[:1], run=1)
    assert await said_in(store.load("!a")) == TURN[:1]


async def test_a_turn_that_has_ended_adds_nothing(
    store: ConversationStore, database: Database
) -> None:
    await query(database, "UPDATE turn SET state = 'cancelled' WHERE trigger_id = '$a'")

    await store.append("!a", "$a", TURN, run=0)
    await store.reset("!a", "$a", run=0)

    assert await query(database, "SELECT * FROM history") == []


async def test_a_turn_that_was_stopped_adds_nothing(
    store: ConversationStore, database: Database
) -> None:
    assert await Revisions(database, [store]).cancel("$a")

    await store.append("!a", "$a", TURN, run=0)  # who is late has not noticed yet

    assert await query(database, "SELECT * FROM history") == []


async def test_what_is_being_added_while_the_words_change_is_not_left_over(
    postgres_dsn: str,
) -> None:
    database = (await open_database(postgres_dsn)).database
    await migrate(database)
    engine, store = Engine(database), ConversationStore(database)
    await engine.inbox.store([trigger("$a", "!a")])
    await engine.store.claim(LaneKind.ASK, 1)
    async with asyncio.timeout(20):
        async with database.transaction() as adding:
            await adding.execute(
                store._sql["append"],
                conversation="!room",
                room="!room",
                trigger_id="$a",
                position=0,
                message=json.dumps(message_to_json(TURN[0])),
                run=0,
                rests_on="[]",
                only_for=None,
                went_on_from=None,
            )
            replacing = asyncio.create_task(
                Revisions(database, [store]).replace(other_words("$a"), reopen=False)
            )
            await asyncio.create_task(until(lambda: somebody_waits_for_a_lock(database)))
        assert await replacing is Replaced.RESTARTED

    assert await said_in(store.load("!room")) == []
    await database.close()


async def somebody_waits_for_a_lock(database: Database) -> bool:
    return bool(await query(database, "SELECT 1 FROM pg_locks WHERE NOT granted"))


@pytest.mark.parametrize(
    ("thread", "conversation"), [(None, "!room"), (EventID("$root"), "!room|$root")]
)
def test_a_thread_is_a_conversation_and_a_timeline_another(
    thread: EventID | None, conversation: str
) -> None:
    inbound = Inbound(
        event_id=EventID("$a"),
        room_id=RoomID("!room"),
        sender=UserID("@person:hs.test"),
        msgtype="m.text",
        body="hello",
        age=timedelta(0),
        thread=thread,
    )

    assert conversation_of(inbound) == conversation
