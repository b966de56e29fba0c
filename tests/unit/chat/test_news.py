"""What rooms are told unasked: once, where it is wanted, and what could be done about it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lycatra_appservice.errors import ToolFailedError
from lycatra_appservice.model import JSON, LaneKind, RoomID
from lycatra_appservice.settings import AnnouncementSettings
from lycatra_appservice.toolkit.base import Hook, News, Proposal, ToolContext, Watcher
from lycatra_appservice.turns.records import Trigger, lane_of_job
from tests.support.approving import (
    LISTS,
    OPERATOR,
    Services,
    approval_rows,
    card_id,
    card_now,
    cards,
    let_time_pass,
    seat_people,
)
from tests.support.scene import (
    EVERYBODY,
    MAIN,
    NAMESPACES,
    PERSON,
    ROOM,
    UPDATES,
    Scene,
    open_scene,
)
from tests.support.turns import query
from tests.unit.chat.approving import vote
from tests.unit.chat.revising import hurry

OTHER_ROOM = RoomID("!other-room")
RELEASE = News(key="release:web:2", about="web", markdown="**web 2** is out.")
RESTART = Proposal(tool="restart_service", args={"service": "web"})


@dataclass
class Feed:
    """What a namespace finds when it looks, and what a hook has been told."""

    found: list[News] = field(default_factory=list)
    told: list[JSON] = field(default_factory=list)
    is_broken: bool = False

    async def look(self, ctx: ToolContext) -> Sequence[News]:
        assert ctx.caller.user_id == UPDATES
        if self.is_broken:
            raise ToolFailedError("The feed is away.")
        return list(self.found)

    async def take(self, data: JSON, ctx: ToolContext) -> Sequence[News]:
        self.told.append(data)
        return [replace(RELEASE, key=f"release:web:{data}")]

    def namespaces(self) -> list[Any]:
        watcher = Watcher(name="releases", every=timedelta(minutes=1), run=self.look)
        hook = Hook(name="ci", accept=lambda request, settings, now: None, take=self.take)
        return [
            replace(each, watchers=(watcher,), hooks=(hook,)) if each.name == "updates" else each
            for each in NAMESPACES
        ]


@pytest.fixture
def feed() -> Feed:
    return Feed()


@pytest.fixture
def services() -> Services:
    return Services()


@asynccontextmanager
async def news_scene(
    folder: Path, feed: Feed, services: Services, **more: Any
) -> AsyncIterator[Scene]:
    async with open_scene(
        folder, lists=LISTS, tools=services.tools(), namespaces=feed.namespaces(), **more
    ) as opened:
        seat_people(opened)
        yield opened


@pytest.fixture
async def scene(tmp_path: Path, feed: Feed, services: Services) -> AsyncIterator[Scene]:
    async with news_scene(tmp_path, feed, services) as opened:
        yield opened


async def look(scene: Scene) -> list[str]:
    """What is said in the room when the watcher has looked."""
    before = len(scene.said())
    slots = await query(scene.database, "SELECT count(*) AS n FROM turn")
    await run_job(scene, f"cron:watch-updates-releases:{slots[0]['n']}", "{}")
    return [said.body for said in scene.said()[before:]]


async def run_job(scene: Scene, trigger_id: str, given: str) -> None:
    trigger = Trigger(id=trigger_id, lane=lane_of_job(trigger_id), kind=LaneKind.JOB, input=given)
    await scene.engine.inbox.store([trigger])
    await scene.work()


async def subscribe(scene: Scene, what: str = "updates") -> str:
    [said] = await scene.ask(f"!subscribe {what}", sender=PERSON)
    return said.body


# --- subscribing ---


async def test_a_room_that_subscribed_is_told_once_by_the_namespace_s_user(
    scene: Scene, feed: Feed
) -> None:
    said = await subscribe(scene)
    feed.found = [RELEASE]

    assert "From now on" in said
    assert await look(scene) == ["web 2 is out."]
    assert scene.said()[-1].by == UPDATES
    assert scene.said()[-1].content["msgtype"] == "m.text"
    assert "m.relates_to" not in scene.said()[-1].content
    assert await look(scene) == []


async def test_a_room_that_did_not_is_told_nothing(scene: Scene, feed: Feed) -> None:
    feed.found = [RELEASE]

    assert await look(scene) == []
    await subscribe(scene)
    assert await look(scene) == []  # what was out before is no news


async def test_a_subscription_may_be_about_one_service(scene: Scene, feed: Feed) -> None:
    await subscribe(scene, "updates Web")
    feed.found = [replace(RELEASE, key="release:mail:1", about="mail", markdown="mail"), RELEASE]

    assert await look(scene) == ["web 2 is out."]


@pytest.mark.parametrize("service", ["my_shop", "My Shop", "MY_shop"])
@pytest.mark.parametrize("what", ["updates My_Shop", "updates_my_shop", "updates `my_shop`"])
async def test_a_service_of_several_words_is_written_as_one(
    scene: Scene, feed: Feed, what: str, service: str
) -> None:
    assert "`!unsubscribe updates my_shop` ends it" in await subscribe(scene, what)
    feed.found = [replace(RELEASE, about=service)]
    assert await look(scene) == ["web 2 is out."]


async def test_what_is_subscribed_is_shown_and_can_be_ended(scene: Scene, feed: Feed) -> None:
    await subscribe(scene, "updates web")
    [shown] = await scene.ask("!subscribe")
    [again] = await scene.ask("!subscribe updates web")
    [ended] = await scene.ask("!unsubscribe updates")
    [twice] = await scene.ask("!unsubscribe updates")
    feed.found = [RELEASE]

    assert "updates web" in shown.body
    assert "already" in again.body
    assert "no more" in ended.body
    assert "was not told" in twice.body
    assert await look(scene) == []


async def test_only_who_may_change_the_room_chooses(scene: Scene) -> None:
    levels: JSON = {"m.room.power_levels": {"users": {PERSON: 50}}}
    scene.seat(*EVERYBODY, OPERATOR, state=levels)
    [refused] = await scene.ask("!subscribe updates", sender=OPERATOR)

    assert "Nothing is changed" in refused.body
    assert await query(scene.database, "SELECT * FROM subscription") == []


async def test_a_namespace_without_news_is_named_with_those_that_have_some(scene: Scene) -> None:
    said = await subscribe(scene, "services")

    assert "I have no news of" in said
    assert "updates" in said


async def test_a_sentence_that_begins_so_is_no_subscription(scene: Scene) -> None:
    await scene.ask("lycatra: subscribe my mother to the newsletter")

    assert await query(scene.database, "SELECT * FROM subscription") == []


async def test_the_configuration_names_rooms_too(
    tmp_path: Path, feed: Feed, services: Services
) -> None:
    told = AnnouncementSettings(room=ROOM, about="updates", only="Web")
    async with news_scene(tmp_path, feed, services, announcements=[told]) as scene:
        feed.found = [RELEASE, replace(RELEASE, key="x", about="mail", markdown="mail")]

        assert await look(scene) == ["web 2 is out."]
        [said] = await scene.ask("!unsubscribe updates")
        assert "configuration" in said.body


async def test_a_room_that_we_have_left_is_forgotten(scene: Scene, feed: Feed) -> None:
    await subscribe(scene)
    ours = scene.users.all
    for user in ours:
        scene.stub.rooms[ROOM].members[user] = "leave"
    await scene.hear(*[scene.member(user, "leave", sender=OPERATOR) for user in ours])
    feed.found = [RELEASE]

    assert await look(scene) == []
    assert await query(scene.database, "SELECT * FROM subscription") == []


# --- when ---


async def test_news_that_can_wait_come_after_the_quiet_hours(scene: Scene, feed: Feed) -> None:
    await subscribe(scene)
    await scene.ask("!settings quiet_hours 22:00-07:00")
    scene.now = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
    urgent = replace(RELEASE, key="down", markdown="web is down", can_wait=False)
    feed.found = [RELEASE, urgent]

    assert await look(scene) == ["web is down"]
    await hurry(scene)
    await scene.work()
    assert scene.said()[-1].body == "web 2 is out."


async def test_what_was_over_before_anybody_read_of_it_is_told_as_over_only(
    scene: Scene, feed: Feed
) -> None:
    await subscribe(scene)
    await scene.ask("!settings quiet_hours 22:00-07:00")
    scene.now = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
    down = replace(RELEASE, key="down", markdown="web is down")
    feed.found = [down, replace(RELEASE, key="up", markdown="web was down", ends="down")]
    before = len(scene.said())
    await look(scene)
    await hurry(scene)
    await scene.work()

    assert [said.body for said in scene.said()[before:]] == ["web was down"]


async def test_quiet_hours_that_nobody_can_read_are_refused(scene: Scene) -> None:
    [said] = await scene.ask("!settings quiet_hours at night")

    assert "22:00-07:00" in said.body


async def test_a_watcher_that_fails_says_nothing_in_a_room(scene: Scene, feed: Feed) -> None:
    await subscribe(scene)
    feed.is_broken = True

    assert await look(scene) == []


async def test_what_a_hook_was_told_is_told_the_rooms(scene: Scene, feed: Feed) -> None:
    await subscribe(scene)
    given = '{"hook": "ci", "data": 3}'
    await run_job(scene, "hook:ci:one", given)
    await run_job(scene, "hook:ci:two", given)

    assert [said.body for said in scene.said()].count("web 2 is out.") == 1
    assert feed.told == [3, 3]


# --- what could be done ---


async def test_a_proposal_is_a_card_with_the_news_above_it(
    scene: Scene, feed: Feed, services: Services
) -> None:
    await subscribe(scene)
    feed.found = [replace(RELEASE, proposal=RESTART)]
    [card] = await look(scene)

    assert card.startswith("web 2 is out.")
    assert "Restart service" in card
    assert "until 2026-11-23 12:00" in card
    assert services.restarted == []
    assert "m.relates_to" not in cards(scene)[0]["content"]

    await vote(scene)

    assert services.restarted == ["web"]
    assert "web is back" in [said.body for said in scene.said()]
    assert card_now(scene, card_id(scene)).startswith("web 2 is out.")


async def test_nobody_without_the_right_lets_it_through(
    scene: Scene, feed: Feed, services: Services
) -> None:
    await subscribe(scene)
    feed.found = [replace(RELEASE, proposal=RESTART)]
    await look(scene)
    [said] = await vote(scene, by=PERSON)

    assert "does not count" in said
    assert services.restarted == []


async def test_a_newer_proposal_supersedes_the_older_card(
    scene: Scene, feed: Feed, services: Services
) -> None:
    await subscribe(scene)
    feed.found = [replace(RELEASE, proposal=RESTART)]
    await look(scene)
    old = card_id(scene)
    feed.found = [replace(RELEASE, key="release:web:3", markdown="web 3", proposal=RESTART)]
    await look(scene)

    assert "newer" in card_now(scene, old)
    await vote(scene, on=old)
    assert services.restarted == []
    await vote(scene)
    assert services.restarted == ["web"]


async def test_after_quiet_hours_the_card_of_what_was_found_last_stands(
    scene: Scene, feed: Feed
) -> None:
    await subscribe(scene)
    await scene.ask("!settings quiet_hours 22:00-07:00")
    for version in range(2, 8):
        scene.now = datetime(2026, 11, 22, 23, version, tzinfo=UTC)
        key, text = f"release:web:{version}", f"web {version}"
        feed.found.append(replace(RELEASE, key=key, markdown=text, proposal=RESTART))
        await look(scene)
    # The end of the quiet hours is reckoned for each anew, a few milliseconds off.
    await query(scene.database, "UPDATE turn SET run_at = -id WHERE trigger_id LIKE 'news:%'")
    await query(
        scene.database,
        "UPDATE lane SET ready_at = (SELECT run_at FROM turn "
        "WHERE lane = key AND state = 'queued' ORDER BY id) WHERE ready_at > 0",
    )
    await scene.work()

    standing = [card for card in cards(scene) if "newer" not in card_now(scene, card["event_id"])]
    assert [card["content"]["body"].split("\n")[0] for card in standing] == ["web 7"]


async def test_news_are_told_also_where_nobody_can_be_asked(
    tmp_path: Path, feed: Feed, services: Services
) -> None:
    async with open_scene(
        tmp_path, lists=LISTS, tools=services.tools(), namespaces=feed.namespaces()
    ) as scene:
        scene.seat(*EVERYBODY)
        await subscribe(scene)
        feed.found = [replace(RELEASE, proposal=RESTART)]
        [said] = await look(scene)

        assert said.startswith("web 2 is out.")
        assert "have not asked" in said
        assert await approval_rows(scene) == []


async def test_a_tick_on_an_expired_card_makes_a_fresh_one_in_the_name_of_who_wants_it(
    scene: Scene, feed: Feed, services: Services
) -> None:
    await subscribe(scene)
    feed.found = [replace(RELEASE, proposal=RESTART)]
    await look(scene)
    old = card_id(scene)
    await let_time_pass(scene)
    await vote(scene, on=old)

    assert services.restarted == []
    assert len(cards(scene)) == 2
    assert card_id(scene) != old
    assert f"asked by `{OPERATOR}`" in card_now(scene, card_id(scene))
    await vote(scene, on=old)
    assert len(cards(scene)) == 2  # one fresh card comes of an old one

    await vote(scene)
    assert services.restarted == ["web"]


async def test_who_may_not_ask_for_it_gets_no_fresh_card(
    scene: Scene, feed: Feed, services: Services
) -> None:
    await subscribe(scene)
    feed.found = [replace(RELEASE, proposal=RESTART)]
    await look(scene)
    await let_time_pass(scene)
    await vote(scene, by=MAIN)

    assert len(cards(scene)) == 1
