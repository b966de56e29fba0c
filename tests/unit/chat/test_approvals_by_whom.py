"""Whose votes count, when they come in any order, and where nobody's would."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from lycatra_appservice.model import LaneKind, RoomID, UserID
from lycatra_appservice.toolkit.base import Effect, Field, ToolArgs, ToolContext, ToolResult
from tests.support.approving import (
    LISTS,
    OPERATOR,
    RESTART,
    SECOND,
    Services,
    approval_rows,
    ask_restart,
    card_id,
    card_now,
    cards,
    code,
    let_time_pass,
    seat_people,
)
from tests.support.homeserver_stub import Failure
from tests.support.scene import EVERYBODY, MAIN, OTHER, PERSON, ROOM, TOOLS, Scene, open_scene
from tests.support.toolbench import Lists, a_tool
from tests.support.turns import query, until
from tests.unit.chat.approving import results, ruled, vote
from tests.unit.chat.revising import hurry, reaction, take_back, work_off

APPROVALS_ROOM = RoomID("!approvals")
TONES = ("👍", "👍🏻", "👍🏼", "👍🏽", "👍🏾", "👍🏿", "✅", "✔️", "✔")


@pytest.fixture
def services() -> Services:
    return Services()


@pytest.fixture
async def scene(tmp_path: Path, services: Services) -> AsyncIterator[Scene]:
    async with open_scene(tmp_path, lists=LISTS, tools=services.tools()) as opened:
        seat_people(opened)
        yield opened


@pytest.mark.parametrize("key", TONES)
async def test_every_tone_of_skin_counts(scene: Scene, services: Services, key: str) -> None:
    await ask_restart(scene)

    await vote(scene, key)

    assert services.restarted == ["web"]


async def test_a_hundred_reactions_at_once_are_one_change(tmp_path: Path) -> None:
    services = Services()
    crowd = [UserID(f"@crowd{n}:hs.test") for n in range(50)]
    operators = [UserID(f"@op{n}:hs.test") for n in range(50)]
    lists = Lists(viewer=["*:hs.test"], operator=operators)
    async with open_scene(tmp_path, lists=lists, tools=services.tools()) as scene:
        scene.seat(PERSON, MAIN, *crowd[:20], *operators[:20])
        await scene.ask(RESTART)
        card = card_id(scene)
        events = [
            reaction(scene, card, TONES[n % len(TONES)], sender=pair[n % 2])
            for n, pair in enumerate(zip(crowd, operators, strict=True))
        ]
        doubled = [{**event, "event_id": f"{event['event_id']}-again"} for event in events]

        await scene.hear(*events, *doubled)

        assert services.restarted == ["web"]
        assert results(scene)[-1] == "web is back"


async def test_a_right_that_was_lost_since_the_card_does_not_count(
    scene: Scene, services: Services, tmp_path: Path
) -> None:
    await ask_restart(scene)
    fewer = Lists(viewer=["*:hs.test"], operator=[SECOND])

    async with open_scene(
        tmp_path, lists=fewer, tools=services.tools(), beside=scene
    ) as restarted:
        event = reaction(restarted, card_id(scene), "✅", sender=OPERATOR)
        [said] = await restarted.hear({**event, "event_id": "$vote"})

    assert "does not count" in said.body
    assert services.restarted == []


async def test_a_room_that_is_not_known_just_now_is_read_before_a_vote_is_judged(
    scene: Scene, services: Services
) -> None:
    """Rooms are forgotten when an event was missed, for example; their people are still there."""
    await ask_restart(scene)
    await scene.rooms.drop(ROOM)

    await vote(scene)

    assert services.restarted == ["web"]


async def test_nobody_who_is_only_invited_has_a_vote(scene: Scene, services: Services) -> None:
    await ask_restart(scene)
    await scene.hear(scene.member(OPERATOR, "leave", sender=OPERATOR))
    await scene.hear(scene.member(OPERATOR, "invite", sender=PERSON))

    [said] = await vote(scene)

    assert "does not count" in said
    assert services.restarted == []


async def test_a_vote_of_somebody_who_has_lost_the_right_since_does_not_count_any_more(
    tmp_path: Path,
) -> None:
    """It counted when it was cast; it is read anew with the last one."""
    services = Services()
    async with ruled(tmp_path, services, quorum=2) as scene:
        await ask_restart(scene)
        await vote(scene, by=OPERATOR)

        await scene.hear(scene.member(OPERATOR, "leave", sender=OPERATOR))
        await vote(scene, by=SECOND)

        assert services.restarted == []


async def test_one_person_is_one_vote_by_whatever_ways(tmp_path: Path) -> None:
    services = Services()
    async with ruled(tmp_path, services, quorum=2) as scene:
        card = await ask_restart(scene)
        for key in ("✅", "👍", "👍🏿"):
            await vote(scene, key, on=card)

        [said] = await scene.ask(f"!approve {await code(scene)}", sender=OPERATOR)

        assert said.body == "Noted: 1 of 2."
        assert services.restarted == []
        await vote(scene, by=SECOND, on=card)
        assert services.restarted == ["web"]


async def test_one_of_two_reactions_taken_back_leaves_the_other(tmp_path: Path) -> None:
    services = Services()
    async with ruled(tmp_path, services, quorum=2) as scene:
        await ask_restart(scene)
        first = reaction(scene, card_id(scene), "✅", sender=OPERATOR)
        await scene.hear(first)
        await vote(scene, "👍")

        await scene.hear(take_back(scene, first, sender=OPERATOR))
        await vote(scene, by=SECOND)

        assert services.restarted == ["web"]


async def test_who_asked_may_give_it_up_from_where_he_asked(tmp_path: Path) -> None:
    services = Services()
    async with ruled(tmp_path, services, room=APPROVALS_ROOM) as scene:
        scene.seat(OPERATOR, MAIN, room_id=APPROVALS_ROOM)
        await scene.ask(RESTART)

        [*_, said] = await scene.ask("!deny")

        assert "denied this" in said.body
        assert (await approval_rows(scene))[0]["state"] == "denied"


async def test_an_operator_who_is_not_in_the_room_of_the_card_does_not_count(
    tmp_path: Path,
) -> None:
    services = Services()
    async with ruled(tmp_path, services, room=APPROVALS_ROOM) as scene:
        scene.seat(OPERATOR, MAIN, room_id=APPROVALS_ROOM)
        await scene.ask(RESTART)

        await scene.ask("!approve", sender=SECOND)

        assert services.restarted == []


async def test_a_request_stands_when_who_asked_has_left(scene: Scene, services: Services) -> None:
    """It is the approver's decision; the asker's rights are checked once more with the call."""
    await ask_restart(scene)
    await scene.hear(scene.member(PERSON, "leave"))

    await vote(scene)

    assert services.restarted == ["web"]


async def test_at_most_five_phones_ring(tmp_path: Path, services: Services) -> None:
    operators = [UserID(f"@op{n}:hs.test") for n in range(9)]
    lists = Lists(viewer=["*:hs.test"], operator=operators)
    async with open_scene(tmp_path, lists=lists, tools=services.tools()) as scene:
        scene.seat(*EVERYBODY, *operators)

        [card] = await scene.ask(RESTART, sender=operators[0])

        assert card.content["m.mentions"] == {"user_ids": operators[1:6]}


@pytest.mark.parametrize(
    ("people", "waits_for"),
    [
        (["*:hs.test"], "Waiting for somebody of hs.test, until"),
        (["*"], "Waiting for anybody here, until"),
        ([f"room:{ROOM}", "@dba:hs.test"], "Waiting for a member of the room named for it"),
        (["*", "power:50"], "or somebody with power level 50, until"),
    ],
)
async def test_a_card_says_in_words_which_people_it_waits_for(
    tmp_path: Path, services: Services, people: list[str], waits_for: str
) -> None:
    async with ruled(tmp_path, services, people=people) as scene:
        card, *_ = await scene.ask(RESTART)

        assert waits_for in card.body.replace("`", "").replace("\u200d", "")


async def test_a_rule_that_only_who_asked_could_meet_is_refused_where_he_may_not(
    tmp_path: Path, services: Services
) -> None:
    async with ruled(tmp_path, services, not_requester=True, people=[PERSON]) as scene:
        [said] = await scene.ask(RESTART)

        assert "not enough people in this room" in said.body
        assert not await approval_rows(scene)


async def test_too_few_for_a_quorum_are_not_asked(tmp_path: Path, services: Services) -> None:
    async with ruled(tmp_path, services, quorum=3) as scene:
        [said] = await scene.ask(RESTART)

        assert "3 operators" in said.body
        assert not cards(scene)


async def test_in_a_chat_of_two_the_owner_approves_what_the_owner_asked(
    tmp_path: Path, services: Services
) -> None:
    """A homelab of one person."""
    async with open_scene(tmp_path, lists=LISTS, tools=services.tools()) as scene:
        scene.seat(OPERATOR, MAIN)

        [card] = await scene.ask(RESTART, sender=OPERATOR)
        assert card.content["m.mentions"] == {"user_ids": [OPERATOR]}
        [answer] = [said for said in await vote(scene) if "back" in said]

        assert services.restarted == ["web"]
        assert answer.endswith("web is back")


async def test_in_a_chat_of_two_without_the_right_nobody_is_asked(
    tmp_path: Path, services: Services
) -> None:
    async with open_scene(tmp_path, lists=LISTS, tools=services.tools()) as scene:
        scene.seat(PERSON, MAIN)

        [said] = await scene.ask(RESTART)

        assert "needs the approval of an operator" in said.body
        assert not cards(scene)


async def test_freeze_times_and_ends_are_of_the_configured_zone(
    tmp_path: Path, services: Services
) -> None:
    """It is Monday there, while it is still Sunday by UTC."""
    sunday = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
    async with ruled(tmp_path, services, zone="Asia/Tokyo", freeze=["mon 00:30-02:00"]) as scene:
        scene.now = sunday.replace(minute=40)
        [refused] = await scene.ask(RESTART)
        scene.now = sunday.replace(minute=20)
        [card] = await scene.ask(RESTART)
        scene.now = sunday.replace(minute=31)
        [frozen] = await vote(scene)

    assert "before 02:00 (Asia/Tokyo)" in refused.body
    assert "until 00:35 (Asia/Tokyo)" in card.body
    assert "before 02:00 (Asia/Tokyo)" in frozen
    assert services.restarted == []


async def test_what_is_secret_stands_on_no_card(tmp_path: Path) -> None:
    class Args(ToolArgs):
        service: str = Field(max_length=20, description="Which one.")
        password: SecretStr = Field(max_length=20, description="Its password.")

    opened_with: list[str] = []

    async def unlock(args: Args, ctx: ToolContext) -> ToolResult:
        opened_with.append(args.password.get_secret_value())
        return ToolResult(data={}, markdown="open")

    tool = a_tool(name="unlock_service", run=unlock, args=Args, effect=Effect.CHANGE)
    tools = {**TOOLS, "services": [tool]}
    async with open_scene(tmp_path, lists=LISTS, tools=tools) as scene:
        seat_people(scene)
        await scene.ask("!unlock service web swordfish")
        card = card_id(scene)
        await vote(scene)

        assert opened_with == ["swordfish"]
        assert "password: " in card_now(scene, card).replace("`", "")
        said = [e for e in scene.stub.rooms[ROOM].events if e["sender"] != PERSON]
        assert "swordfish" not in str(said)


# --- before it is known which event the card is ---


class Early:
    """The card is in the room, and the homeserver's answer to it does not come."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self._answer = asyncio.Event()
        self._asking: asyncio.Task[object]

    async def begin(self) -> str:
        self.scene.stub.fail(
            Failure(
                method="PUT",
                contains="/send/m.room.message",
                status=502,
                after=True,
                hang=self._answer,
            )
        )
        self._asking = asyncio.create_task(self.scene.ask(RESTART))

        async def is_in_the_room() -> bool:
            return bool(cards(self.scene))

        await until(is_in_the_room)
        assert not await query(self.scene.database, "SELECT 1 FROM send WHERE event_id > ''")
        return card_id(self.scene)

    async def comes(self, *events: object) -> None:
        await self.scene.push(*events)
        await work_off(self.scene, LaneKind.CONTROL)

    async def end(self) -> None:
        self._answer.set()
        async with asyncio.timeout(20):
            await self._asking
        await hurry(self.scene)


@pytest.fixture
def early(scene: Scene) -> Early:
    return Early(scene)


async def test_an_early_vote_is_read_when_the_card_is_known(
    scene: Scene, early: Early, services: Services
) -> None:
    card = await early.begin()
    await early.comes(reaction(scene, card, "👍🏽", sender=OPERATOR))
    assert services.restarted == []

    await early.end()

    assert services.restarted == ["web"]
    assert len(cards(scene)) == 1


async def test_an_early_vote_of_the_wrong_person_reads_so_and_uses_nothing_up(
    scene: Scene, early: Early, services: Services
) -> None:
    card = await early.begin()
    await early.comes(reaction(scene, card, "✅", sender=OTHER))

    await early.end()

    assert services.restarted == []
    assert len([said for said in scene.said() if "does not count" in said.body]) == 1
    await vote(scene)
    assert services.restarted == ["web"]


async def test_an_early_vote_that_was_taken_back_does_not_count(
    scene: Scene, early: Early, services: Services
) -> None:
    card = await early.begin()
    event = reaction(scene, card, "✅", sender=OPERATOR)
    await early.comes(event)
    await early.comes(take_back(scene, event, sender=OPERATOR))

    await early.end()

    assert services.restarted == []


async def test_an_early_vote_is_too_late_after_the_end(
    scene: Scene, early: Early, services: Services
) -> None:
    card = await early.begin()
    await early.comes(reaction(scene, card, "✅", sender=OPERATOR))
    await let_time_pass(scene)

    await early.end()

    assert services.restarted == []


async def test_a_card_that_was_given_up_on_its_way_shows_its_end_all_the_same(
    scene: Scene, early: Early, services: Services
) -> None:
    card = await early.begin()
    await early.comes(scene.message("!stop"))

    await early.end()
    await vote(scene, on=card)

    assert services.restarted == []
    assert "Taken back" in card_now(scene, card)


# --- rights that hang on the room ---


async def test_power_that_was_taken_since_the_card_does_not_count(
    tmp_path: Path, services: Services
) -> None:
    lists = Lists(viewer=["*:hs.test"], operator=["power:50"])
    power = {"users": {OPERATOR: 50, SECOND: 50, MAIN: 100}}
    async with open_scene(tmp_path, lists=lists, tools=services.tools()) as scene:
        scene.seat(*EVERYBODY, OPERATOR, SECOND, state={"m.room.power_levels": power})
        await ask_restart(scene)
        less = {"users": {SECOND: 50, MAIN: 100}}
        scene.stub.state[ROOM, "m.room.power_levels", ""] = less
        taken = {**scene.event("m.room.power_levels", less, sender=MAIN), "state_key": ""}

        await scene.hear(taken)
        assert any("does not count" in said for said in await vote(scene, by=OPERATOR))
        assert services.restarted == []
        await vote(scene, by=SECOND)

        assert services.restarted == ["web"]
