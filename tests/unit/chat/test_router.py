"""What a message asks for: what `test_understanding` cannot show in its rows."""

from dataclasses import replace
from datetime import timedelta

import pytest

from lycatra_appservice.chat.router import Router, Situation, is_too_old
from lycatra_appservice.chat.routes import Ignore
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.model import RoomID, UserID
from tests.unit.chat.conversing import MAIN, PERSON, READER, SERVICES, UPDATES, USERS, inbound

ROUTER = Router(USERS, READER, has_model=True)


def room(*ours: UserID) -> RoomView:
    return RoomView(
        room_id=RoomID("!room"),
        name=None,
        encrypted=False,
        people={PERSON: None},
        ours=frozenset(ours),
    )


@pytest.mark.parametrize(("hops", "ignored"), [(0, False), (3, False), (4, True), (999, True)])
@pytest.mark.parametrize("body", ["lycatra: hello", "!help"])
def test_a_conversation_of_bots_ends(hops: int, ignored: bool, body: str) -> None:
    message = replace(inbound(body), hops=hops)

    asked = ROUTER.route(Situation(inbound=message, room=room(MAIN)))

    assert isinstance(asked, Ignore) is ignored


@pytest.mark.parametrize(
    ("minutes", "for_a_read", "for_another"),
    [
        (0, False, False),
        (10, False, False),
        (10.01, False, True),
        (60, False, True),
        (60.01, True, True),
        (10_000, True, True),
    ],
)
def test_what_only_reads_may_be_older(minutes: float, for_a_read: bool, for_another: bool) -> None:
    age = timedelta(minutes=minutes)

    assert is_too_old(age, only_reads=True) is for_a_read
    assert is_too_old(age, only_reads=False) is for_another


@pytest.mark.parametrize(
    ("ours", "host"),
    [([MAIN, UPDATES], MAIN), ([UPDATES, SERVICES], SERVICES), ([UPDATES], UPDATES), ([], MAIN)],
)
def test_whoever_is_there_is_the_host(ours: list[UserID], host: UserID) -> None:
    assert room(*ours).host(MAIN) == host


@pytest.mark.parametrize(
    ("body", "user"),
    [("lycatra_updates: hello", UPDATES), ("good morning", MAIN), ("lycatra: x", MAIN)],
)
def test_the_first_name_is_found_without_knowing_the_room(body: str, user: UserID) -> None:
    assert ROUTER.named_first(inbound(body)) == user
