"""What a message asks for, given the facts around it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from lycatra_appservice.chat.commands import Command, UnclearArguments, UnknownCommand
from lycatra_appservice.chat.router import (
    Ask,
    Explain,
    Ignore,
    Route,
    Router,
    RunTool,
    Situation,
    is_too_old,
)
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.model import JSON, RoomID, UserID
from tests.unit.chat.conversing import (
    ADDRESSING,
    COMMANDS,
    MAIN,
    PERSON,
    SERVICES,
    UPDATES,
    USERS,
    inbound,
)

ROUTER = Router(USERS, ADDRESSING, COMMANDS)
OTHER = UserID("@other:hs.test")


def room(*ours: UserID, people: int = 2) -> RoomView:
    return RoomView(
        room_id=RoomID("!room"),
        name=None,
        encrypted=False,
        people=dict.fromkeys([PERSON, OTHER][:people]),
        ours=frozenset(ours),
    )


GROUP = room(MAIN, UPDATES)
DM = room(MAIN, people=1)
GHOST_DM = room(UPDATES, people=1)
GHOST_GROUP = room(UPDATES, SERVICES)
ROOMS = {"group": GROUP, "dm": DM, "ghost dm": GHOST_DM, "ghost group": GHOST_GROUP}


def route(
    body: str,
    where: RoomView = GROUP,
    *,
    replied_to: UserID | None = None,
    in_our_thread: bool = False,
    **content: JSON,
) -> Route:
    return ROUTER.route(
        Situation(
            inbound=inbound(body, **content),
            room=where,
            replied_to=replied_to,
            in_our_thread=in_our_thread,
        )
    )


HELP = RunTool(Command("help", {}))
LIST = RunTool(Command("list_updates", {}))


@pytest.mark.parametrize(
    ("where", "body", "expected"),
    [
        # Nobody is named.
        ("group", "good morning", Ignore("not addressed")),
        ("group", "", Ignore("not addressed")),
        ("dm", "good morning", Ask(MAIN, "good morning", None)),
        ("dm", "list updates", Ask(MAIN, "list updates", None)),
        ("dm", "", HELP),
        ("ghost dm", "good morning", Ask(UPDATES, "good morning", "updates")),
        ("ghost dm", "list updates", LIST),
        ("ghost dm", "list", LIST),
        ("ghost group", "good morning", Ignore("not addressed")),
        # Somebody of us is named.
        ("group", "lycatra: good morning", Ask(MAIN, "good morning", None)),
        ("group", "lycatra: list updates", Ask(MAIN, "list updates", None)),
        ("group", "lycatra", HELP),
        ("group", "@lycatra_updates", HELP),
        ("group", "lycatra_updates: what is new?", Ask(UPDATES, "what is new?", "updates")),
        ("group", "lycatra_updates: list updates", LIST),
        ("group", "lycatra_updates: list", LIST),
        ("group", "lycatra_updates: list of all", Ask(UPDATES, "list of all", "updates")),
        ("group", "lycatra_updates: health", Ask(UPDATES, "health", "updates")),
        ("group", "lycatra_updates lycatra_services: x", Ask(UPDATES, "x", "updates")),
        ("dm", "lycatra_updates: what is new?", Ask(UPDATES, "what is new?", "updates")),
        ("dm", "lycatra: good morning", Ask(MAIN, "good morning", None)),
        ("ghost dm", "lycatra: good morning", Ask(MAIN, "good morning", None)),
        # Commands.
        ("group", "!list updates", LIST),
        ("group", "/list updates", LIST),
        ("group", "!help", HELP),
        ("group", "lycatra: !list updates", LIST),
        ("group", "@lycatra_services !list updates", LIST),
        ("group", "@lycatra_updates !list", LIST),
        ("group", "@lycatra_updates !list 7", RunTool(Command("list_updates", {"since": "7"}))),
        ("ghost dm", "!list", LIST),
        ("ghost group", "!health", RunTool(Command("get_service_status", {}))),
        ("dm", "!updates list", LIST),
        # A word that is no command may be another bot's.
        ("group", "!weather", Ignore("unknown command")),
        ("group", "!list", Ignore("unknown command")),
        ("ghost group", "!weather", Ignore("unknown command")),
        # No commands at all.
        ("group", "!", Ignore("not addressed")),
        ("group", "!!", Ignore("not addressed")),
        ("dm", "!!", Ask(MAIN, "!!", None)),
        ("dm", "/etc/hosts is wrong", Ask(MAIN, "/etc/hosts is wrong", None)),
        ("dm", "!1", Ask(MAIN, "!1", None)),
    ],
)
def test_each_message_has_its_route(where: str, body: str, expected: Route) -> None:
    assert route(body, ROOMS[where]) == expected


@pytest.mark.parametrize(
    ("body", "where", "speaker"),
    [
        ("!lst updates", DM, MAIN),
        ("lycatra: !lst updates", GROUP, MAIN),
        ("@lycatra_updates !lst updates", GROUP, UPDATES),
        ("!lst updates", GHOST_DM, UPDATES),
    ],
)
def test_an_unknown_command_meant_for_us_is_explained(
    body: str, where: RoomView, speaker: UserID
) -> None:
    assert route(body, where) == Explain(speaker, UnknownCommand("lst updates", ("list updates",)))


def test_arguments_that_cannot_be_read_are_explained_in_a_group_too() -> None:
    explain = route("!help me")

    assert isinstance(explain, Explain)
    assert isinstance(explain.problem, UnclearArguments)


def test_a_mention_addresses_without_a_name_in_the_words() -> None:
    asked = route("what is new?", m_mentions={"user_ids": [UPDATES]})

    assert asked == Ask(UPDATES, "what is new?", "updates")


@pytest.mark.parametrize(
    ("related", "speaker"),
    [
        ({"replied_to": MAIN}, MAIN),
        ({"replied_to": UPDATES}, UPDATES),
        ({"in_our_thread": True}, MAIN),
        ({"in_our_thread": True, "replied_to": SERVICES}, SERVICES),
    ],
)
def test_who_is_replied_to_answers(related: Mapping[str, JSON], speaker: UserID) -> None:
    assert route("and why?", **related) == Ask(speaker, "and why?", USERS.namespace_of(speaker))


def test_a_name_is_stronger_than_what_is_replied_to() -> None:
    asked = route("lycatra_services: and you?", replied_to=UPDATES)

    assert asked == Ask(SERVICES, "and you?", "services")


def test_an_unknown_command_in_our_thread_is_explained() -> None:
    assert isinstance(route("!lst updates", in_our_thread=True), Explain)


@pytest.mark.parametrize(("hops", "ignored"), [(0, False), (2, False), (3, True), (999, True)])
@pytest.mark.parametrize("body", ["lycatra: hello", "!help"])
def test_a_conversation_of_bots_ends(hops: int, ignored: bool, body: str) -> None:
    message = replace(inbound(body), hops=hops)

    asked = ROUTER.route(Situation(inbound=message, room=DM))

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
