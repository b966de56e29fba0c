"""`!usage`: everybody sees the own use, admins that of all, and nobody else reads along."""

import itertools
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from lycatra_appservice.budgets.budgets import Budgets as Book
from lycatra_appservice.budgets.limits import Limits, Payer
from lycatra_appservice.budgets.store import BudgetStore, ChargeKey, Spent
from lycatra_appservice.chat.budget_words import amount
from lycatra_appservice.chat.usage_page import bars
from lycatra_appservice.model import Level, RoomID, UserID
from lycatra_appservice.settings import Budgets
from tests.support.scene import EVERYBODY, MAIN, OTHER, PERSON, ROOM, STRANGER, Scene, open_scene
from tests.support.toolbench import Lists

ADMIN = UserID("@admin:hs.test")
DM = RoomID("!alone")
NUMBERS = itertools.count(1)
LIMITS = Budgets.model_validate(
    {
        "person": {"turns_per_minute": 12, "tokens_per_day": "20k"},
        "room": {"tokens_per_day": "50k"},
        "levels": {"admin": {"tokens_per_day": "unlimited"}},
    }
)


@pytest.fixture
async def group(tmp_path: Path) -> AsyncIterator[Scene]:
    """A group with an admin of ours, and a direct chat of the admin with us."""
    lists = Lists(viewer=["*:hs.test"], admin=[ADMIN])
    async with open_scene(tmp_path, lists=lists, budgets=LIMITS, zone="Europe/Berlin") as scene:
        scene.seat(*EVERYBODY, ADMIN, STRANGER, state={"m.room.name": {"name": "Kit|ch`en"}})
        scene.seat(ADMIN, MAIN, room_id=DM)
        yield scene


async def use(
    scene: Scene,
    tokens: int,
    person: UserID = PERSON,
    *,
    days_ago: int = 0,
    room: RoomID = ROOM,
    model: str = "home",
    is_estimated: bool = False,
) -> None:
    when = scene.now - timedelta(days=days_ago)
    book = Book(BudgetStore(scene.database), Limits(LIMITS), scene.zone, lambda: when)
    level = Level.ADMIN if person == ADMIN else Level.VIEWER
    payer = Payer(person=person, level=level, room_id=room)
    spent = Spent(
        model=model, prompt_tokens=tokens - 1, completion_tokens=1, is_estimated=is_estimated
    )
    key = ChargeKey(trigger_id=f"$used{next(NUMBERS)}", run=0, step="1:model")
    async with scene.database.transaction() as connection:
        await book.charge(connection, key, payer, spent)


async def told(scene: Scene, sender: UserID = PERSON, room: RoomID = ROOM) -> str:
    before = len(scene.said(room))
    await scene.push(scene.message("!usage", sender=sender, room_id=room))
    await scene.work()
    [said] = scene.said(room)[before:]
    return said.body


async def test_a_person_sees_the_own_use_of_today_and_how_it_goes_on(group: Scene) -> None:
    await use(group, 4_500)
    await use(group, 7_000, OTHER)
    await use(group, 9_000, days_ago=1)

    said = await told(group)

    assert "4.5k of 20k tokens" in said
    assert "15.5k are left" in said
    assert "a new day begins in 11 hours" in said
    assert "of this room together have used 11.5k of 50k" in said
    assert "12 times a minute" in said
    assert OTHER not in said


async def test_what_was_estimated_says_so(group: Scene) -> None:
    await use(group, 4_500, is_estimated=True)

    assert "about 4.5k of 20k" in await told(group)


async def test_who_has_no_rights_reads_so(group: Scene) -> None:
    assert "no rights" in await told(group, STRANGER)


async def test_an_admin_sees_everybody_alone_and_a_group_reads_one_line(group: Scene) -> None:
    await use(group, 4_500)

    line = await told(group, ADMIN)

    assert "direct chat" in line
    assert PERSON not in line
    [direct] = set(group.stub.rooms) - {ROOM, DM}
    [report] = group.said(RoomID(direct))
    assert PERSON in report.body
    assert report.content["msgtype"] == "m.text"


async def test_the_report_has_people_rooms_levels_and_models_for_a_day_a_week_and_a_month(
    group: Scene,
) -> None:
    await told(group)  # in a room that is known
    await use(group, 1_000)
    await use(group, 2_000, days_ago=6, model="cloud")
    await use(group, 4_000, OTHER, days_ago=29)
    await use(group, 500, ADMIN, room=DM)
    await use(group, 99_000, OTHER, days_ago=30)  # not of the last thirty days any more

    said = await told(group, ADMIN, DM)

    rows = [tuple(part.strip(" *`") for part in line.split("|")) for line in said.splitlines()]
    cells = {row[0]: row[1:] for row in rows if len(row) == 4}
    assert cells["All"] == ("1.5k", "3.5k", "7.5k")
    assert cells[PERSON] == ("1k", "3k", "3k")
    assert cells[OTHER] == ("", "", "4k")
    assert cells["Kit/ch'en"] == ("1k", "3k", "7k")
    assert cells["viewer"] == ("1k", "3k", "7k")
    assert cells["admin"] == ("500", "500", "500")
    assert cells["home"] == ("1.5k", "1.5k", "5.5k")
    assert cells["cloud"] == ("", "2k", "2k")
    assert "█▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▅▁▁▁▁▁▄" in said
    assert "Europe/Berlin" in said
    assert "There is no limit for you." in said


async def test_the_heaviest_have_a_row_and_the_others_one_together(group: Scene) -> None:
    for number in range(13):
        await use(group, 100 * (number + 1), UserID(f"@p{number}:hs.test"))

    said = await told(group, ADMIN, DM)

    assert "@p12:hs.test" in said
    assert "@p3:hs.test" in said
    assert "@p2:hs.test" not in said
    assert re.search(r"3 others *\| 600 *\| 600 *\| 600", said)


async def test_where_nobody_asked_a_model_an_admin_reads_so(group: Scene) -> None:
    assert "Nobody has used a language model in the last 30 days." in await told(group, ADMIN, DM)


async def test_a_right_that_somebody_has_in_one_room_alone_shows_nothing_of_the_others(
    tmp_path: Path,
) -> None:
    lists = Lists(viewer=["*:hs.test"], admin=[f"room:{DM}"])
    async with open_scene(tmp_path, lists=lists, budgets=LIMITS) as scene:
        scene.seat(*EVERYBODY)
        scene.seat(PERSON, MAIN, room_id=DM)
        await use(scene, 4_500, OTHER)

        assert OTHER not in await told(scene, PERSON, DM)


async def test_help_tells_of_it(group: Scene) -> None:
    [said] = await group.ask("!help usage")

    assert "how many tokens" in said.body


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1k"),
        (12_345, "12.3k"),
        (99_960, "100k"),
        (999_499, "999k"),
        (999_500, "1M"),
        (2_000_000, "2M"),
        (12_340_000, "12.3M"),
        (4_321_000_000, "4321M"),
    ],
)
def test_a_number_of_tokens_is_short(number: int, shown: str) -> None:
    assert amount(number) == shown


def test_bars_show_shares_of_the_highest_and_something_where_there_is_something() -> None:
    assert bars([0, 1, 50, 100]) == "▁▂▅█"
    assert bars([0, 0]) == "▁▁"
    assert bars([]) == ""
