"""Whom @lycatra brings along."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from lycatra_appservice.chat.company import Company
from lycatra_appservice.chat.room_settings import RoomSettings
from lycatra_appservice.matrix.power import PowerLevels
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import JSON, Level, RoomID, UserID
from lycatra_appservice.settings import Permission
from lycatra_appservice.toolkit.base import Namespace, Tool, ToolArgs
from lycatra_appservice.toolkit.registry import Registry
from tests.support.toolbench import Lists, a_tool, bench

PERSON, OTHER = UserID("@person:hs.test"), UserID("@other:hs.test")
ADMIN = UserID("@admin:hs.test")
NAMES = [f"space{n}" for n in range(9)]


def tools_of(name: str) -> list[Tool[ToolArgs]]:
    n = NAMES.index(name)
    if n == 1:
        return []  # nothing to talk about
    level = Level.OPERATOR if n == 2 else Level.VIEWER
    tools = [a_tool(name=f"list_{name}", level=level)]
    return [*tools, a_tool(name="list_more", level=Level.OPERATOR)] if n == 3 else tools


NAMESPACES = [Namespace(name=name, display_name=name, summary="x") for name in NAMES]
REGISTRY = Registry(NAMESPACES, {name: tools_of(name) for name in NAMES})
USERS = VirtualUsers(server_name="hs.test", namespaces=NAMESPACES)
LISTS = Lists(admin=[ADMIN], viewer=["*:hs.test"], operator=())
HIDDEN = Permission(tools=("list_space4",), hidden=True)


def named(*numbers: int) -> list[UserID]:
    return [USERS.of(NAMES[n]) for n in numbers]


GROUP = RoomView(
    room_id=RoomID("!room"),
    name=None,
    encrypted=False,
    people=dict.fromkeys([PERSON, OTHER]),
    ours=frozenset({USERS.main}),
)
MANY = {UserID(f"@p{n}:hs.test"): None for n in range(51)}


async def along(
    room: RoomView, inviter: UserID, defaults: RoomSettings | None = None
) -> Sequence[UserID]:
    async with bench(registry=REGISTRY, lists=LISTS, rules=[HIDDEN]) as made:
        company = Company(USERS, REGISTRY, made.gate, defaults or RoomSettings())
        return await company.along(room, inviter)


async def test_those_come_whose_tools_the_inviter_may_use_and_six_at_most() -> None:
    assert list(await along(GROUP, PERSON)) == named(0, 3, 5, 6, 7, 8)
    assert list(await along(GROUP, ADMIN)) == named(0, 2, 3, 5, 6, 7)
    assert list(await along(GROUP, UserID("@stranger:elsewhere.org"))) == []


async def test_who_is_there_or_was_sent_away_is_not_brought() -> None:
    room = replace(GROUP, ours=frozenset({USERS.main, *named(0)}), gone=frozenset(named(3)))

    assert list(await along(room, PERSON)) == named(5, 6, 7, 8)


@pytest.mark.parametrize(
    "room",
    [
        replace(GROUP, people={PERSON: None}),
        replace(GROUP, is_public=True),
        replace(GROUP, people=MANY),
        replace(GROUP, ours=frozenset()),
        replace(GROUP, power=PowerLevels(content={"invite": 50})),
        replace(GROUP, chosen={"virtual_users": "on_demand"}),
        replace(GROUP, chosen={"virtual_users": "label"}),
    ],
    ids=["a dm", "public", "a crowd", "not there", "no right", "on demand", "label"],
)
async def test_nobody_comes_where_nobody_more_is_wanted(room: RoomView) -> None:
    assert list(await along(room, PERSON)) == []


@pytest.mark.parametrize(
    ("chosen", "comes"), [({}, False), ({"virtual_users": "all"}, True), ({"reply": "x"}, False)]
)
async def test_what_the_room_chose_wins_over_the_configuration(
    chosen: dict[str, JSON], comes: bool
) -> None:
    careful = RoomSettings(virtual_users="on_demand")

    assert bool(await along(replace(GROUP, chosen=chosen), PERSON, careful)) is comes
