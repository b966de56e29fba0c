"""What is looked up before a decision, and that nothing else is."""

from dataclasses import dataclass, field

import pytest

from lycatra_appservice.matrix.standing import Standing
from lycatra_appservice.model import Caller, Face, Level, RoomID, UserID
from lycatra_appservice.settings import Permission
from lycatra_appservice.toolkit.access import Access
from lycatra_appservice.toolkit.permissions import Permissions
from lycatra_appservice.toolkit.registry import Registry
from lycatra_appservice.toolkit.rights import Rights
from tests.support.toolbench import TESTING, Lists, a_tool

ROOM, OTHER_ROOM = RoomID("!ops"), RoomID("!other")
PERSON = UserID("@person:example.org")
REGISTRY = Registry([TESTING], {TESTING.name: [a_tool()]})


@dataclass
class Asked:
    """Everybody is a joined moderator everywhere; remembers who asked."""

    rooms: list[RoomID] = field(default_factory=list)

    async def of(self, user_id: UserID, room_id: RoomID) -> Standing:
        self.rooms.append(room_id)
        return Standing(room_id=room_id, is_joined=True, power=50)


def rule(**what: object) -> Permission:
    return Permission.model_validate({"tools": ["testing"], **what})


@pytest.mark.parametrize(
    ("lists", "rules", "looked_at"),
    [
        (Lists(operator=["@a:b"], viewer=["*"], none=["*:c"]), [], []),
        (Lists(), [rule(who=["@a:b"])], []),
        (Lists(operator=[f"room:{ROOM}"]), [], [ROOM]),
        (Lists(viewer=[f"power:50 in {ROOM}"]), [], [ROOM]),
        (Lists(none=[f"room:{ROOM}"]), [], [ROOM]),
        (Lists(), [rule(who=[f"room:{ROOM}"])], [ROOM]),
        (Lists(operator=["power:50"]), [], [ROOM, OTHER_ROOM]),
        (Lists(), [rule(who=["power:50"])], [ROOM, OTHER_ROOM]),
    ],
)
async def test_a_room_is_looked_at_only_where_an_entry_is_about_it(
    lists: Lists, rules: list[Permission], looked_at: list[RoomID]
) -> None:
    asked = Asked()
    rights = Rights(Access(lists, Permissions(rules, REGISTRY)), asked)

    for room_id in (ROOM, OTHER_ROOM, None):
        await rights.level(PERSON, room_id)

    assert asked.rooms == looked_at


async def test_the_same_person_has_other_rights_in_another_room() -> None:
    rights = Rights(Access(Lists(operator=[f"room:{ROOM}"], viewer=())), Asked())

    found = [await rights.level(PERSON, each) for each in (ROOM, OTHER_ROOM, None)]

    assert found == [Level.OPERATOR, Level.NONE, Level.NONE]


async def test_what_is_hidden_from_somebody_depends_on_the_room_too() -> None:
    permissions = Permissions([rule(who=[f"room:{ROOM}"], hidden=True)], REGISTRY)
    rights = Rights(Access(Lists(), permissions), Asked())

    found = [
        await rights.hidden_from(Caller(user_id=PERSON, face=Face.COMMAND, room_id=each))
        for each in (ROOM, OTHER_ROOM, None)
    ]

    assert found == [frozenset(), {"say_something"}, {"say_something"}]


async def test_without_anybody_who_knows_rooms_no_right_rests_on_one() -> None:
    rights = Rights(Access(Lists(operator=["power:0", f"room:{ROOM}"], viewer=())))

    assert await rights.level(PERSON, ROOM) is Level.NONE
