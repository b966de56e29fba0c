"""From a reply to the rows that go into the room."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from lycatra_appservice.chat.compose import Composer
from lycatra_appservice.chat.language import Tongue
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.model import JSON, Outgoing, Reply, RoomID, SendKind, UserID
from lycatra_appservice.words.catalogue import load_catalogue
from tests.unit.chat.conversing import MAIN, PERSON, SERVICES, UPDATES, USERS, inbound

COMPOSER = Composer(USERS, Tongue(load_catalogue()))
OTHER = UserID("@other:hs.test")
THREAD: JSON = {"rel_type": "m.thread", "event_id": "$root"}


def room(*ours: UserID, direct: bool = False) -> RoomView:
    return RoomView(
        room_id=RoomID("!room"),
        name=None,
        encrypted=False,
        people=dict.fromkeys([PERSON] if direct else [PERSON, OTHER]),
        ours=frozenset(ours),
    )


def answer(sender: UserID, where: RoomView, words: str = "all is up") -> Sequence[Outgoing]:
    return COMPOSER.answer(Reply(markdown=words, sender=sender), inbound("hello"), where)


def test_who_is_in_the_room_just_answers() -> None:
    [message] = answer(UPDATES, room(MAIN, UPDATES))

    assert message.kind is SendKind.MESSAGE
    assert message.sender == UPDATES
    assert message.room_id == "!room"
    assert message.content["body"] == "all is up"
    assert message.content["m.relates_to"] == {"m.in_reply_to": {"event_id": "$message"}}
    assert message.content["org.lycatra.reply"] == {
        "to": "$message",
        "kind": "message",
        "part": 1,
        "of": 1,
    }


def test_who_is_not_in_a_group_comes_in_first() -> None:
    join, message = answer(UPDATES, room(MAIN))

    assert (join.kind, join.sender, join.room_id) == (SendKind.JOIN, UPDATES, "!room")
    assert (message.kind, message.sender) == (SendKind.MESSAGE, UPDATES)


@pytest.mark.parametrize(
    ("sender", "where", "speaker", "name"),
    [
        (UPDATES, room(MAIN, direct=True), MAIN, "Lycatra Updates"),
        (UPDATES, room(SERVICES, direct=True), SERVICES, "Lycatra Updates"),
        (MAIN, room(UPDATES, direct=True), UPDATES, "Lycatra"),
        # Without @lycatra in the room nobody could bring the other one in.
        (UPDATES, room(SERVICES), SERVICES, "Lycatra Updates"),
        (MAIN, room(UPDATES), UPDATES, "Lycatra"),
    ],
)
def test_one_who_does_not_come_in_is_spoken_for(
    sender: UserID, where: RoomView, speaker: UserID, name: str
) -> None:
    [message] = answer(sender, where)

    assert message.sender == speaker
    assert message.content["body"] == f"{name}:\n\nall is up"


def test_nobody_speaks_for_himself_in_the_third_person() -> None:
    [message] = answer(MAIN, room(direct=True))  # its own entry has not been seen yet

    assert message.sender == MAIN
    assert message.content["body"] == "all is up"


def test_an_answer_in_a_thread_stays_in_it() -> None:
    question = inbound("hello", m_relates_to=THREAD)

    [message] = COMPOSER.answer(Reply(markdown="hi", sender=MAIN), question, room(MAIN))

    assert message.content["m.relates_to"] == {
        **THREAD,
        "is_falling_back": False,  # it answers this very message
        "m.in_reply_to": {"event_id": "$message"},
    }


def test_all_parts_of_a_long_answer_come_from_one_user_who_comes_in_once() -> None:
    rows = answer(UPDATES, room(MAIN), "\n\n".join(["\U0001f600" * 200] * 55))

    assert [row.kind for row in rows[:2]] == [SendKind.JOIN, SendKind.MESSAGE]
    assert len(rows) > 2
    assert {row.sender for row in rows} == {UPDATES}
    assert {row.kind for row in rows[1:]} == {SendKind.MESSAGE}


def test_the_same_reply_gives_the_same_rows() -> None:
    assert answer(UPDATES, room(MAIN)) == answer(UPDATES, room(MAIN))


def test_a_room_that_chose_lists_gets_its_tables_as_such() -> None:
    where = replace(room(MAIN), chosen={"tables": "list"})
    words = "| name | state |\n|--|--|\n| api | up |"

    [listed] = answer(MAIN, where, words)
    [drawn] = answer(MAIN, room(MAIN), words)

    assert listed.content["body"] == "- api · state: up"
    assert "<table>" not in listed.content["formatted_body"]
    assert "<table>" in drawn.content["formatted_body"]
