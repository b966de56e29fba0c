"""Many questions and a slow model: who waits, in which order, and how it is stopped."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import web

from lycatra_appservice.agent.model_wait import Limit
from lycatra_appservice.agent.prompt import without_context
from lycatra_appservice.chat.draft import DraftTiming
from lycatra_appservice.model import JSON, EventID, RoomID, UserID
from tests.support.drafting import AT_ONCE, is_nothing_live, reads, stands
from tests.support.model_server import Asked, ModelServer, model_server, says
from tests.support.model_slots import RecordingHearer
from tests.support.scene import (
    EVERYBODY,
    MAIN,
    NO_DRAFTS,
    OTHER,
    PERSON,
    ROOM,
    ModelSettings,
    Scene,
    at_work,
    open_scene,
)
from tests.support.turns import query, turn_states, until, until_ended, until_true
from tests.unit.chat.revising import reaction, take_back

STOPPED = "I have stopped. Nothing more will come of it."
PATIENCE = timedelta(seconds=60)


class SlowModel:
    """Answers each question when it is told to, and knows who is being answered."""

    def __init__(self, server: ModelServer) -> None:
        self.server = server
        self.now: list[str] = []
        self.most = 0
        self.left: list[str] = []  # what was being answered when the client went away
        self._open = asyncio.Event()

    def will_answer(self, questions: int) -> None:
        self.server.will(*[self._answer] * questions)

    def open(self) -> None:
        """From now on answer at once."""
        self._open.set()

    async def _answer(self, asked: Asked) -> web.StreamResponse:
        question = words_of(asked)
        self.now.append(question)
        self.most = max(self.most, len(self.now))
        try:
            await self._open.wait()
            return await says(f"answer to {question}")(asked)
        except asyncio.CancelledError:
            self.left.append(question)
            raise
        finally:
            self.now.remove(question)


def words_of(asked: Asked) -> str:
    """What the person has written, without who, when and where."""
    return re.sub(r"^@\S+: ", "", without_context(str(asked.messages[-1]["content"])))


@dataclass(frozen=True, slots=True)
class Site:
    """Replicas, of which SQLite has one, and their model."""

    scenes: Sequence[Scene]
    model: SlowModel

    @property
    def first(self) -> Scene:
        return self.scenes[0]

    @property
    def last(self) -> Scene:
        return self.scenes[-1]

    def answers(self, room_id: RoomID = ROOM) -> list[str]:
        return [said.body for said in self.first.said(room_id)]

    async def until_asked(self, *questions: str) -> None:
        await until_true(lambda: sorted(self.model.now) == sorted(questions))

    async def until_waiting(self, requests: int) -> None:
        async def waiting() -> bool:
            found = await query(
                self.first.database, "SELECT id FROM model_wait WHERE state = 'waiting'"
            )
            return len(found) == requests

        await until(waiting)

    async def places(self) -> list[str]:
        found = await query(self.first.database, "SELECT state FROM model_wait ORDER BY id")
        return [row["state"] for row in found]


@asynccontextmanager
async def open_site(
    folder: Path,
    url: str,
    *,
    patience: timedelta = PATIENCE,
    drafts: DraftTiming = NO_DRAFTS,
    **limits: int,
) -> AsyncIterator[Site]:
    """Two replicas on Postgres, one on SQLite; none of them works yet."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(model_server())
        section = {"base_url": server.base_url, "first_token_timeout": PATIENCE, **limits}
        models = {"model": ModelSettings.model_validate(section)}
        scenes: list[Scene] = []
        for owner in ("one", "two") if url.startswith("postgres") else ("one",):
            opening = open_scene(
                folder,
                database_url=url,
                models=models,
                patience=patience,
                drafts=drafts,
                owner=owner,
                beside=scenes[0] if scenes else None,
            )
            scenes.append(await stack.enter_async_context(opening))
        yield Site(scenes, SlowModel(server))


@pytest.fixture
async def site(tmp_path: Path, database_url: str) -> AsyncIterator[Site]:
    """A model that answers one question at a time, and replicas at work."""
    async with (
        open_site(tmp_path, database_url, max_concurrency=1) as opened,
        AsyncExitStack() as working,
    ):
        for scene in opened.scenes:
            await working.enter_async_context(at_work(scene))
        yield opened


def in_thread(root: str) -> JSON:
    return {"rel_type": "m.thread", "event_id": root}


async def test_questions_asked_meanwhile_are_answered_one_by_one_in_their_order(
    site: Site,
) -> None:
    scene = site.first
    scene.seat(PERSON, MAIN)
    site.model.will_answer(3)
    asked = [scene.message(words) for words in ("first", "second", "third")]
    for event in asked:
        await scene.push(event)
    await site.until_asked("first")
    site.model.open()

    await until_ended(scene.database)

    assert site.answers() == ["answer to first", "answer to second", "answer to third"]
    replies = [said.content["m.relates_to"]["m.in_reply_to"]["event_id"] for said in scene.said()]
    assert replies == [event["event_id"] for event in asked]
    assert site.model.most == 1


async def test_two_threads_of_a_group_are_answered_side_by_side(
    tmp_path: Path, database_url: str
) -> None:
    async with open_site(tmp_path, database_url) as site, at_work(site.first):
        scene = site.first
        scene.seat(*EVERYBODY)
        site.model.will_answer(2)
        for person, root in ((PERSON, "$one"), (OTHER, "$two")):
            words = f"lycatra: of {root}"
            asked = scene.message(words, sender=person, m_relates_to=in_thread(root))
            await scene.push(asked)

        await site.until_asked("of $one", "of $two")
        site.model.open()
        await until_ended(scene.database)

        assert sorted(site.answers()) == ["answer to of $one", "answer to of $two"]


def direct_room(scene: Scene, person: UserID) -> RoomID:
    room_id = RoomID(f"!direct-{person[1:].partition(':')[0]}")
    if room_id not in scene.stub.rooms:
        scene.seat(person, MAIN, room_id=room_id)
    return room_id


async def ask_alone(scene: Scene, words: str, person: UserID, by: Scene | None = None) -> EventID:
    """Ask in the direct room of this person; `by` is the replica that the push comes to."""
    event = scene.message(words, sender=person, room_id=direct_room(scene, person))
    await (by or scene).push(event)
    return EventID(event["event_id"])


async def test_ten_people_are_served_two_at_a_time_over_all_replicas(
    tmp_path: Path, database_url: str
) -> None:
    async with open_site(tmp_path, database_url, max_concurrency=2) as site, AsyncExitStack() as w:
        for scene in site.scenes:
            await w.enter_async_context(at_work(scene))
        site.model.will_answer(10)
        people = [UserID(f"@p{n}:hs.test") for n in range(10)]
        for n, person in enumerate(people):
            await ask_alone(site.first, f"q{n}", person, by=site.scenes[n % len(site.scenes)])
        await site.until_waiting(8)
        site.model.open()

        assert set((await until_ended(site.first.database)).values()) == {"done"}

        assert site.model.most == 2
        assert await site.places() == []


async def test_a_command_is_answered_while_everybody_waits_for_the_model(site: Site) -> None:
    site.first.seat(*EVERYBODY)
    site.model.will_answer(3)
    for n in range(3):
        await ask_alone(site.first, f"q{n}", UserID(f"@p{n}:hs.test"))
    await site.until_waiting(2)

    await site.first.push(site.first.message("!list updates 4"))

    await until_true(lambda: len(site.answers()) == 1)
    assert "4 updates" in site.answers()[0]
    site.model.open()
    await until_ended(site.first.database)


# --- stopping ---


@pytest.mark.parametrize("how", ["sign", "word", "redaction"])
async def test_a_stop_on_one_replica_ends_what_another_one_runs(
    tmp_path: Path, database_url: str, how: str
) -> None:
    async with open_site(tmp_path, database_url, max_concurrency=1) as site:
        scene = site.first
        scene.seat(PERSON, MAIN)
        site.model.will_answer(1)
        asked = scene.message("think")
        async with at_work(scene):
            await scene.push(asked)
            await site.until_asked("think")
            stops = {
                "sign": lambda: reaction(scene, asked["event_id"], "🛑"),
                "word": lambda: scene.message("!stop"),
                "redaction": lambda: take_back(scene, asked),
            }
            await site.last.push(stops[how]())
            if site.last is not scene:
                await site.last.work()  # the control lane of the other replica

            await until_ended(scene.database)

            assert (await turn_states(scene.database))[asked["event_id"]] == "cancelled"
            await until_true(lambda: site.model.left == ["think"])
            assert await site.places() == []
            assert site.answers() == ([] if how == "redaction" else [STOPPED])
            typing = [seen.json["typing"] for seen in scene.stub.asked("PUT", "/typing/")]
            assert typing[-1] is False


async def test_who_waits_can_be_stopped_and_the_model_never_hears_of_it(site: Site) -> None:
    scene = site.first
    site.model.will_answer(2)
    await ask_alone(scene, "first", UserID("@p1:hs.test"))
    await site.until_asked("first")
    stopped = await ask_alone(scene, "second", PERSON)
    await site.until_waiting(1)
    await ask_alone(scene, "third", UserID("@p3:hs.test"))
    await site.until_waiting(2)

    sign = reaction(scene, stopped, "🛑")
    await scene.push({**sign, "room_id": direct_room(scene, PERSON)})
    await until_ended(scene.database, stopped)
    await site.until_waiting(1)
    site.model.open()
    states = await until_ended(scene.database)

    assert states[stopped] == "cancelled"
    assert [words_of(asked) for asked in site.model.server.asked] == [
        "first",
        "third",
    ]
    assert site.answers(direct_room(scene, PERSON)) == [STOPPED]


async def test_a_stop_that_no_notification_told_of_is_found_by_the_beat(
    tmp_path: Path, postgres_dsn: str
) -> None:
    async with open_site(tmp_path, postgres_dsn, max_concurrency=1) as site:
        site.first.seat(PERSON, MAIN)
        site.model.will_answer(1)
        asked = site.first.message("think")
        async with at_work(site.first, listening=False):
            await site.first.push(asked)
            await site.until_asked("think")
            await site.last.push(reaction(site.first, asked["event_id"], "🛑"))
            await site.last.work()

            await until_ended(site.first.database)

            assert site.answers() == [STOPPED]
            await until_true(lambda: site.model.left == ["think"])


async def test_a_drained_replica_gives_its_places_back(tmp_path: Path, postgres_dsn: str) -> None:
    async with open_site(tmp_path, postgres_dsn, max_concurrency=1) as site:
        site.first.seat(PERSON, MAIN)
        site.model.will_answer(2)
        async with at_work(site.first) as leaving:
            await site.first.push(site.first.message("think"))
            await site.until_asked("think")
            await leaving.drain(timedelta(0))
            await until_true(lambda: site.model.left == ["think"])
            async with at_work(site.last):
                await site.until_asked("think")
                site.model.open()
                await until_ended(site.first.database)

    assert site.answers() == ["answer to think"]


# --- waiting ---


@asynccontextmanager
async def held_by_somebody(scene: Scene) -> AsyncIterator[None]:
    """The model's only place is somebody else's, who asks by this replica."""
    assert scene.running is not None
    slots = scene.running.slots.of(Limit(model="model", at_once=1, waiting=10))
    async with slots.held(OTHER, RecordingHearer(), begun=False):
        yield


@pytest.mark.slow
async def test_who_waits_for_the_model_does_not_run_out_of_time(
    tmp_path: Path, database_url: str
) -> None:
    patience = timedelta(seconds=2)
    async with open_site(tmp_path, database_url, patience=patience, max_concurrency=1) as site:
        scene = site.first
        scene.seat(PERSON, MAIN)
        site.model.will_answer(1)
        site.model.open()
        async with at_work(scene):
            async with held_by_somebody(scene):
                await scene.push(scene.message("think"))
                await site.until_waiting(1)
                ending = asyncio.create_task(until_ended(scene.database))
                await asyncio.wait({ending}, timeout=1.1 * patience.total_seconds())
                assert not ending.done()
            await ending

        assert site.answers() == ["answer to think"]


async def test_who_waits_reads_their_place_and_then_the_answer_in_the_same_message(
    tmp_path: Path, database_url: str
) -> None:
    async with open_site(tmp_path, database_url, max_concurrency=1, drafts=AT_ONCE) as site:
        scene = site.first
        scene.seat(PERSON, MAIN)
        site.model.will_answer(1)
        site.model.open()
        async with at_work(scene):
            async with held_by_somebody(scene):
                await scene.push(scene.message("think"))
                await reads(scene, "1 ahead of you")
            await until_ended(scene.database)

        assert stands(scene) == ["answer to think"]
        assert is_nothing_live(scene)


async def test_a_place_that_no_notification_told_of_is_found_by_the_beat(
    tmp_path: Path, postgres_dsn: str
) -> None:
    async with open_site(tmp_path, postgres_dsn, max_concurrency=1) as site:
        scene = site.first
        scene.seat(PERSON, MAIN)
        site.model.will_answer(1)
        site.model.open()
        async with at_work(scene, listening=False):
            async with held_by_somebody(site.last):
                await scene.push(scene.message("think"))
                await site.until_waiting(1)
            await until_ended(scene.database)

        assert site.answers() == ["answer to think"]


async def test_when_too_many_wait_one_line_says_what_to_do(
    tmp_path: Path, database_url: str
) -> None:
    async with open_site(tmp_path, database_url, max_concurrency=1, max_waiting=0) as site:
        scene = site.first
        scene.seat(PERSON, MAIN)
        async with at_work(scene), held_by_somebody(scene):
            await scene.push(scene.message("think"))
            await until_ended(scene.database)

        [line] = site.answers()
        assert "Too many questions wait" in line
        assert "ask again in a few minutes" in line
        refused = b'lycatra_llm_waits_refused_total{backend="model"} 1.0'
        assert refused in scene.metrics.exposition()[0]
