"""What nobody said to us: bots, echoes, notices, chatter. Silence is proven by what follows it."""

import pytest

from lycatra_appservice.model import JSON
from tests.support.live import Live

pytestmark = pytest.mark.asyncio(loop_scope="module")


def said(body: str, **more: JSON) -> dict[str, JSON]:
    return {"msgtype": "m.text", "body": body, "m.mentions": {}, **more}


# What each of them is; the message itself.
NOT_FOR_US = {
    "a name inside a sentence": said("I like lycatra"),
    "a name in code": said("see `@lycatra:hs.test` there"),
    "a name in a quote": said("> @lycatra:hs.test hello\n\nyes"),
    "chatter": said("good morning"),
    "a notice": said("!list updates", msgtype="m.notice"),
    "another bot's answer": said(
        "lycatra: hello", **{"org.lycatra.reply": {"to": "$x", "part": 1, "of": 1}}
    ),
    "the fifth bot in a row": said("lycatra: hello", **{"org.lycatra.hops": 4}),
    "a picture": said("!list updates", msgtype="m.image", url="mxc://a/b"),
}


async def test_what_is_not_said_to_us_gets_no_answer(live: Live) -> None:
    room = await live.stage.room()
    sent: dict[str, str] = {
        await room.person.send_event(room.room_id, "m.room.message", content): what
        for what, content in NOT_FOR_US.items()
    }
    findings = await room.settled(live.tables)
    assert [sent[each] for each in findings.unasked if each in sent] == []
    answered = [_answered_by(event) for event in await room.events()]
    assert not set(answered) & set(sent)


async def test_our_own_answers_are_never_questions_to_us(live: Live) -> None:
    room = await live.stage.room(invite=[live.users.main, live.users.of("updates")])
    await room.ask("!list updates")
    await room.answers()
    assert (await room.settled(live.tables)).clean
    ours = [row["trigger_id"] for row in await live.tables.rows("SELECT trigger_id FROM turn")]
    sent = [row["event_id"] for row in await live.tables.rows("SELECT event_id FROM send")]
    assert not set(ours) & set(sent)


async def test_an_edit_of_an_answered_message_gets_no_second_answer(live: Live) -> None:
    room = await live.stage.room()
    asked = await room.ask("!help")
    await room.answers()
    edit = said("* !list updates")
    edit["m.new_content"] = said("!list updates")
    edit["m.relates_to"] = {"rel_type": "m.replace", "event_id": asked}
    await room.person.send_event(room.room_id, "m.room.message", edit)
    findings = await room.settled(live.tables)
    assert not findings.lost
    assert not findings.doubled
    speakers = {event["sender"] for event in await room.events() if _answered_by(event)}
    assert live.users.of("updates") not in speakers


def _answered_by(event: JSON) -> str | None:
    """What a message of ours answers."""
    marker = event["content"].get("org.lycatra.reply", {})
    return marker.get("to") if event["type"] == "m.room.message" else None
