"""Messages that reach us late: what is still answered, and what is only named in one line."""

import pytest

from lycatra_appservice.model import JSON, EventID
from tests.support.live import Live
from tests.support.pushes import message
from tests.support.stage import Room

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

MINUTE_MS = 60_000


def asked_ago(room: Room, words: str, minutes: int) -> JSON:
    event = message(
        room.room_id, room.person.user_id, words, unsigned={"age": minutes * MINUTE_MS}
    )
    room.asked.append(EventID(event["event_id"]))
    return event


async def push(live: Live, *events: JSON) -> None:
    answer = await live.stage.pusher(live.replica).push(events)
    assert answer.status == 200


async def test_old_questions_get_one_line_in_each_room_and_no_answer(live: Live) -> None:
    first, second = await live.stage.room(), await live.stage.room()
    # The model has no script: asking it would fail this test.
    await push(
        live,
        *(asked_ago(room, "lycatra: what now?", 15) for room in (first, first, second)),
    )
    for room in (first, second):
        body = (await room.answer_to(room.asked[0]))["content"]["body"]
        assert "15 minutes" in body
        assert "ask again" in body
    findings = await first.settled(live.tables)
    assert findings.lost == (first.asked[1],)
    assert not findings.doubled


async def test_a_command_that_only_reads_is_answered_a_quarter_of_an_hour_late(
    live: Live,
) -> None:
    updates = live.users.of("updates")
    room = await live.stage.room(invite=[live.users.main, updates])
    await push(live, asked_ago(room, "!list updates", 15))
    (answer,) = await room.answers()
    assert answer["sender"] == updates


async def test_a_command_of_two_hours_ago_is_not_run_any_more(live: Live) -> None:
    room = await live.stage.room()
    await push(live, asked_ago(room, "!list updates", 120))
    (answer,) = await room.answers()
    assert "too old" in answer["content"]["body"]


async def test_a_clock_that_is_wrong_makes_no_message_old(live: Live) -> None:
    room = await live.stage.room()
    early, late = asked_ago(room, "!help", 0), asked_ago(room, "!help", 0)
    early["origin_server_ts"], late["origin_server_ts"] = 1, 2**52
    late["unsigned"] = {"age": -(10**9)}
    await push(live, early, late)
    for answer in await room.answers():
        assert "!list updates" in answer["content"]["body"]
