"""Where an answer goes: into a thread on the question, or plainly below it. Pure."""

from dataclasses import replace
from typing import Final, assert_never

from lycatra_appservice.chat.room_settings import ReplyPlace
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.model import Inbound

# Two can follow two conversations in one timeline; more people lose the thread, or the patience.
_PEOPLE_OF_A_GROUP: Final = 3


def placed(question: Inbound, room: RoomView, wish: ReplyPlace) -> Inbound:
    """The question as if it had been asked in the thread that its answer goes into.

    With this thread also the conversation is that of those who go on in it. A thread that the
    question stands in is kept, whatever the room wishes.
    """
    if question.thread is not None:
        return question
    match wish:
        case "auto":
            begins = len(room.people) >= _PEOPLE_OF_A_GROUP
        case "thread":
            begins = True
        case "plain":
            begins = False
        case _:
            assert_never(wish)
    return replace(question, thread=question.event_id) if begins else question
