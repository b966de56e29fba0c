"""What was said before, on both databases."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from lycatra_appservice.agent.messages import (
    AssistantMessage,
    Message,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from lycatra_appservice.chat.conversation import ConversationStore, conversation_of
from lycatra_appservice.db.connection import Database
from lycatra_appservice.model import EventID, Inbound, RoomID, UserID
from tests.support.turns import query

CALL = ToolCall(id="call_0", name="list_updates", arguments='{"limit": 3')
TURN: Sequence[Message] = [
    UserMessage(text="nul \0, lone \ud800, \U0001f44d", name="@person:hs.test"),
    AssistantMessage(text="", calls=(CALL,)),
    ToolMessage(call_id="call_0", text="[1, 2, 3]"),
    AssistantMessage(text="Three."),
]


@pytest.fixture
def store(database: Database) -> ConversationStore:
    return ConversationStore(database)


async def test_a_conversation_comes_back_as_it_was_in_its_order(store: ConversationStore) -> None:
    later: Sequence[Message] = [UserMessage(text="and now?"), AssistantMessage(text="Four.")]

    assert await store.load("!room") == []
    await store.append("!room", "$b", TURN)
    await store.append("!room", "$a", later)

    assert await store.load("!room") == [*TURN, *later]


async def test_a_turn_that_is_added_again_changes_nothing(store: ConversationStore) -> None:
    await store.append("!room", "$a", TURN)
    await store.append("!room", "$a", TURN)
    await store.append("!room", "$a", [UserMessage(text="other words"), *TURN[1:]])
    async with asyncio.timeout(20):
        await asyncio.gather(*(store.append("!room", "$a", TURN) for _ in range(5)))

    assert await store.load("!room") == TURN


async def test_conversations_do_not_mix(store: ConversationStore) -> None:
    await store.append("!room", "$a", TURN)
    await store.append("!room|$thread", "$b", [UserMessage(text="in the thread")])

    assert await store.load("!room") == TURN
    assert await store.load("!room|$thread") == [UserMessage(text="in the thread")]


async def test_of_a_long_conversation_the_latest_come_back(store: ConversationStore) -> None:
    said = [UserMessage(text=str(n)) for n in range(250)]

    await store.append("!room", "$a", said)

    assert await store.load("!room") == said[-200:]


async def test_what_is_old_is_forgotten(store: ConversationStore, database: Database) -> None:
    await store.append("!room", "$a", TURN)
    await query(database, "UPDATE history SET at = at - 86400000")
    await store.append("!room", "$b", [UserMessage(text="new")])

    await store.forget(timedelta(hours=23))

    assert await store.load("!room") == [UserMessage(text="new")]


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
