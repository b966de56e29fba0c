"""An answer that grows, on a real Synapse: read meanwhile, afterwards, and after crashes."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from lycatra_appservice.model import JSON, EventID
from tests.support.drafting import streams
from tests.support.ghost import call_as
from tests.support.lycatra import Lycatra
from tests.support.model_server import ModelServer, model_server, says
from tests.support.stage import Room, Stage, sqlite_in
from tests.support.tables import Tables
from tests.support.waiting import until

LIVE = "org.matrix.msc4357.live"
ASKED = "lycatra: what is new?"


def drafts_of(events: Sequence[JSON], asked: EventID) -> list[JSON]:
    """All events that show something of an answer, or all of it, in order."""
    return [
        event
        for event in events
        if (event["content"].get("org.lycatra.reply") or {}).get("to") == asked
    ]


def says_now(event: JSON) -> str:
    content: Mapping[str, Any] = event["content"]
    return str(content.get("m.new_content", content)["body"])


def reads(room: Room, asked: list[EventID], words: str) -> Callable[[], Awaitable[None]]:
    """A step of a stream: the newest event about the question says this."""

    async def seen() -> bool:
        found = drafts_of(await room.events(), asked[-1]) if asked else []
        return bool(found) and words in says_now(found[-1])

    return lambda: until(seen, f"a draft that says {words!r}")


async def for_ever() -> None:
    await asyncio.Event().wait()


async def answering(
    stage: Stage, url: str, model: ModelServer, **more: JSON
) -> tuple[Lycatra, Room, list[EventID]]:
    replica = await stage.replica(url, model_url=model.base_url, more=more)
    await replica.start()
    room = await stage.room()
    return replica, room, room.asked


@pytest.mark.slow
async def test_a_long_answer_grows_in_one_message_and_reads_well_when_the_room_is_paged(
    stage: Stage, tmp_path: Path
) -> None:
    async with model_server() as model:
        url = sqlite_in(tmp_path)
        _, room, asked = await answering(stage, url, model)
        model.will(
            streams(
                "There are **three** ",
                reads(room, asked, "three"),
                "updates:\n\n",
                *(f"- number {n}\n" for n in range(3)),
                reads(room, asked, "number 2"),
                "\nThat is all.",
            )
        )
        request = await room.ask(ASKED)
        answer = await room.answer_to(request)

        whole = "There are three updates:\n\n- number 0\n- number 1\n- number 2\n\nThat is all."
        assert answer["content"]["body"] == whole
        events = await room.events()
        first, *edits = drafts_of(events, request)
        assert first["content"]["m.mentions"] == {"user_ids": [room.person.user_id]}
        assert {edit["content"]["m.relates_to"]["event_id"] for edit in edits} == {
            first["event_id"]
        }
        assert [LIVE in event["content"] for event in (first, *edits)] == [True] * len(edits) + [
            False
        ]
        assert 2 <= len(edits) <= 20
        # What a client is given that comes now and reads the original alone.
        newest = first["unsigned"]["m.relations"]["m.replace"]
        assert newest["content"]["m.new_content"]["body"] == whole
        assert "<strong>three</strong>" in newest["content"]["m.new_content"]["formatted_body"]
        stamps = [event["origin_server_ts"] for event in (first, *edits)]
        gaps = [later - earlier for earlier, later in pairwise(stamps)]
        assert all(gap >= 1_000 for gap in gaps[:-1])
        assert (await room.settled(Tables(url))).clean


@pytest.mark.slow
async def test_a_restarted_process_ends_the_message_that_a_killed_one_had_begun(
    stage: Stage, tmp_path: Path
) -> None:
    async with model_server() as model:
        url = sqlite_in(tmp_path)
        replica, room, asked = await answering(stage, url, model)
        model.will(streams("There are ", for_ever))
        request = await room.ask(ASKED)
        await reads(room, asked, "There are")()

        replica.kill()
        model.will(says("There are three updates."))
        await replica.start()
        answer = await room.answer_to(request)

        assert answer["content"]["body"] == "There are three updates."
        assert (await room.settled(Tables(url))).clean
        found = drafts_of(await room.events(), request)
        assert len([each for each in found if "m.new_content" not in each["content"]]) == 1
        assert LIVE not in found[-1]["content"]


@pytest.mark.slow
async def test_another_replica_ends_the_message_of_a_frozen_one_that_wakes_too_late(
    stage: Stage, postgres_dsn: str
) -> None:
    async with model_server() as model:
        more: dict[str, JSON] = {"turns": {"lease": "2s"}}
        first, room, asked = await answering(stage, postgres_dsn, model, **more)
        goes_on = asyncio.Event()
        model.will(streams("There are ", goes_on.wait, *(f"{n} " for n in range(50)), for_ever))
        request = await room.ask(ASKED)
        await reads(room, asked, "There are")()
        first.signal(signal.SIGSTOP)
        goes_on.set()
        stage.proxy.targets.remove(first.port)
        stage.proxy.cut()

        second = await stage.replica(postgres_dsn, model_url=model.base_url, more=more)
        model.will(says("There are three updates."))
        await second.start()
        await room.answer_to(request)
        first.signal(signal.SIGCONT)

        async def gave_up() -> bool:
            return bool(first.records("lease_lost") or first.records("lane_lost"))

        await until(gave_up, "the woken replica giving up its turn")
        assert (await room.settled(Tables(postgres_dsn))).clean
        last = drafts_of(await room.events(), request)[-1]
        assert says_now(last) == "There are three updates."
        assert LIVE not in last["content"]


@pytest.mark.slow
async def test_half_an_answer_that_arrives_after_the_whole_one_is_put_right(
    stage: Stage, tmp_path: Path
) -> None:
    async with model_server() as model:
        url = sqlite_in(tmp_path)
        _, room, asked = await answering(stage, url, model)
        model.will(streams("There are ", reads(room, asked, "There are"), "three updates."))
        request = await room.ask(ASKED)
        await room.answer_to(request)
        draft = drafts_of(await room.events(), request)[0]

        late = {
            **draft["content"],
            "m.new_content": {"msgtype": "m.text", "body": "There are …", LIVE: {}},
            "m.relates_to": {"rel_type": "m.replace", "event_id": draft["event_id"]},
        }
        path = f"/rooms/{quote(room.room_id, safe='')}/send/m.room.message/late"
        answer = await call_as(stage.site, stage.users.main, "PUT", path, late)
        assert answer.status == 200

        async def is_right() -> bool:
            return LIVE not in drafts_of(await room.events(), request)[-1]["content"]

        await until(is_right, "an edit that puts the answer right")
        last = drafts_of(await room.events(), request)[-1]
        assert says_now(last) == "There are three updates."


async def test_a_stop_sign_on_the_draft_ends_it_with_what_came(
    stage: Stage, tmp_path: Path
) -> None:
    async with model_server() as model:
        _, room, asked = await answering(stage, sqlite_in(tmp_path), model)
        model.will(streams("There are ", for_ever))
        request = await room.ask(ASKED)
        await reads(room, asked, "There are")()
        draft = drafts_of(await room.events(), request)[0]

        await room.person.react(room.room_id, EventID(draft["event_id"]), "🛑")

        await reads(room, asked, "⏹️ Stopped.")()
        last = drafts_of(await room.events(), request)[-1]
        assert says_now(last).startswith("There are")
        assert LIVE not in last["content"]
        async with asyncio.timeout(30):
            await model.client_left.wait()
