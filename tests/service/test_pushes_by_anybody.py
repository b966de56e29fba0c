"""The door for pushes: who may push, and that nothing pushed ever blocks what comes after it."""

import json
import secrets
from typing import Final

import pytest

from lycatra_appservice.model import JSON, EventID
from tests.support.live import MODEL_KEY, Live
from tests.support.model_server import says
from tests.support.pushes import Pusher, message, token_of
from tests.support.stage import Room

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

MEBIBYTE: Final = 1024 * 1024


def pusher(live: Live) -> Pusher:
    return live.stage.pusher(live.replica)


def question(room: Room, words: str = "!help") -> dict[str, JSON]:
    """A message for us that Synapse never pushed; it is expected to be answered."""
    event = message(room.room_id, room.person.user_id, words)
    room.asked.append(EventID(event["event_id"]))
    return event


async def dead_letters(live: Live) -> list[str]:
    return [row["reason"] for row in await live.tables.rows("SELECT reason FROM dead_letter")]


async def test_only_the_right_header_lets_a_push_in(live: Live) -> None:
    token = token_of(live.stage.site.registration)
    event = message("!room", "@person:hs.test", "!help")
    body = json.dumps({"events": [event]})
    refused: list[tuple[dict[str, str], dict[str, str], int]] = [
        ({}, {}, 401),
        ({}, {"access_token": token}, 401),
        ({"Authorization": "Bearer wrong"}, {}, 403),
        ({"Authorization": f"Bearer {token[:-1]}"}, {}, 403),
        ({"Authorization": f"Bearer {token}x"}, {}, 403),
        ({"Authorization": "Bearer "}, {}, 403),
        ({"Authorization": f"Basic {token}"}, {}, 403),
        ({"Authorization": "Bearer schlüssel-ключ"}, {}, 403),
        ({"Authorization": "Bearer wrong"}, {"access_token": token}, 403),
    ]
    for headers, query, status in refused:
        answer = await pusher(live).call(
            "PUT", "/transactions/1", body=body, headers=headers, query=query
        )
        assert answer.status == status, headers
        assert answer.errcode == ("M_MISSING_TOKEN" if status == 401 else "M_FORBIDDEN")
    assert await live.tables.turn(event["event_id"]) is None


async def test_the_other_routes_are_closed_without_the_token_too(live: Live) -> None:
    for method, path in (
        ("GET", "/users/@lycatra:hs.test"),
        ("POST", "/ping"),
        ("GET", "/rooms/x"),
    ):
        answer = await pusher(live).call(method, path, headers={})
        assert answer.status == 401


async def test_a_transaction_that_comes_again_is_answered_once(live: Live) -> None:
    room = await live.stage.room()
    event = question(room)
    for txn in ("again", "again", "another", secrets.token_hex(4)):
        assert (await pusher(live).push([event], txn=txn)).status == 200
    await room.answers()
    assert (await room.settled(live.tables)).clean


async def test_an_event_pushed_by_synapse_and_again_by_hand_is_answered_once(live: Live) -> None:
    room = await live.stage.room()
    asked = await room.ask("!list updates")
    await live.tables.until_stored(asked)
    seen = next(event for event in await room.events() if event["event_id"] == asked)
    await pusher(live).push([{**seen, "room_id": room.room_id}])
    await room.answers()
    assert (await room.settled(live.tables)).clean


def poison(room: Room) -> dict[str, JSON]:
    """Events that nobody's Synapse should push; None in the value of what is never dead."""
    who = room.person.user_id
    ask = "!help"
    return {
        "a NUL in the event id": message(room.room_id, who, ask, event_id="$a\0b"),
        "a NUL in the room id": message("!a\0b", who, ask),
        "no event id": message(room.room_id, who, ask, event_id=None),
        "a sender that is a number": message(room.room_id, who, ask, sender=7),
        "content that is a list": message(room.room_id, who, ask, content=[ask]),
        "a half character in the sender": message(room.room_id, "@a\ud800:hs.test", ask),
        "a state key that is a number": message(room.room_id, who, ask, state_key=1),
        "a very long event id": message(room.room_id, who, ask, event_id="$" + "x" * 300),
        "no object": "an event",
        "nothing": None,
    }


def oddities(room: Room) -> list[JSON]:
    """Events that can be told apart, with content that no client writes."""
    who, ask = room.person.user_id, "lycatra: hello"
    contents: list[JSON] = [
        {"msgtype": "m.text", "body": 7},
        {"msgtype": ["m.text"], "body": {"a": 1}},
        {
            "msgtype": "m.text",
            "body": ask,
            "m.relates_to": "x",
            "m.mentions": 3,
            "org.lycatra.hops": 9,
        },
        {"msgtype": "m.text", "body": "a", "formatted_body": 5, "m.mentions": {"user_ids": [1]}},
        {},
    ]
    odd = [message(room.room_id, who, "", content=content) for content in contents]
    future = message(room.room_id, who, "good morning", origin_server_ts=2**63, unsigned=[])
    unknown = message(room.room_id, who, "", type="org.example.unknown")
    member = message(
        room.room_id, who, "", type="m.room.member", state_key="\0", content={"membership": 1}
    )
    return [
        *odd,
        future,
        unknown,
        member,
        message("!v99", who, "x", type="m.room.create", state_key=""),
    ]


async def test_poisonous_events_are_set_aside_and_their_neighbours_are_answered(
    live: Live,
) -> None:
    room = await live.stage.room()
    before = len(await dead_letters(live))
    bad = poison(room)
    for event in bad.values():
        answer = await pusher(live).push([question(room), event, question(room)])
        assert answer.status == 200
    assert len(await dead_letters(live)) - before == len(bad)
    answer = await pusher(live).push([question(room), *oddities(room), question(room)])
    assert answer.status == 200
    await room.answers()
    assert (await room.settled(live.tables)).clean


async def test_a_nul_in_the_words_is_no_reason_to_be_silent(live: Live) -> None:
    room = await live.stage.room()
    await pusher(live).push([question(room, "!list updates \0 service=\0")])
    await room.answers()
    assert (await room.settled(live.tables)).clean


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


async def test_json_of_any_depth_costs_only_the_event_it_stands_in(live: Live) -> None:
    room = await live.stage.room()
    deep = '{"type":"m.room.message","content":' + nested(10_000) + "}"
    events = [json.dumps(question(room)), deep, json.dumps(question(room))]
    answer = await pusher(live).push_raw(f'{{"events":[{",".join(events)}]}}')
    assert answer.status == 200
    assert "no parser can read it" in await dead_letters(live)
    await room.answers()
    assert (await room.settled(live.tables)).clean


async def test_json_just_as_deep_as_can_be_read_is_taken_in(live: Live) -> None:
    # Somewhere here what can still be read can no longer be written.
    for depth in range(880, 1000):
        malformed = f'{{"events":[{{"content":{nested(depth)}}}]}}'
        to_device = f'{{"events":[],"de.sorunome.msc2409.to_device":[{nested(depth)}]}}'
        event = message("!room", "@person:hs.test", "!help", content={"body": "@@"})
        whole = json.dumps({"events": [event]}).replace('"@@"', nested(depth))
        for body in (malformed, to_device, whole):
            answer = await pusher(live).push_raw(body)
            assert answer.status == 200, (depth, body[:60])


async def test_a_number_that_no_computer_holds_costs_only_its_own_event(live: Live) -> None:
    room = await live.stage.room()
    monster = message(room.room_id, room.person.user_id, "!help", unsigned={"age": "@@"})
    events = json.dumps({"events": [question(room), monster, question(room)]})
    answer = await pusher(live).push_raw(events.replace('"@@"', "9" * 5000))
    assert answer.status == 200
    assert "no parser can read it" in await dead_letters(live)
    await room.answers()
    assert (await room.settled(live.tables)).clean


async def test_a_push_of_six_megabytes_is_taken_in_whole(live: Live) -> None:
    room = await live.stage.room()
    chatter = [
        message(room.room_id, room.person.user_id, f"{n} " + "x" * 60_000) for n in range(99)
    ]
    answer = await pusher(live).push([*chatter, question(room)])
    assert answer.status == 200
    await room.answers()
    assert (await room.settled(live.tables)).clean


async def test_what_is_larger_than_any_transaction_is_refused(live: Live) -> None:
    answer = await pusher(live).push_raw(b" " * (65 * MEBIBYTE))
    assert answer.status == 413
    assert answer.errcode == "M_TOO_LARGE"


async def test_what_is_no_transaction_is_refused_and_nothing_breaks(live: Live) -> None:
    for body in (b"", b"[]", b"{", b'{"events": {}}', b"\xff\xfe", b'"events"'):
        answer = await pusher(live).push_raw(body)
        assert (answer.status, answer.errcode) == (400, "M_NOT_JSON"), body
    room = await live.stage.room()
    await room.ask("!help")
    await room.answers()


async def test_the_log_is_json_with_one_line_a_turn_and_without_any_secret(live: Live) -> None:
    live.model.will(says("Hello."))
    registration = live.stage.site.registration
    secret_values = [MODEL_KEY, token_of(registration, "as_token"), token_of(registration)]
    for secret in secret_values:  # where people put them by mistake
        await pusher(live).call(
            "PUT",
            f"/transactions/{secret}",
            headers={"Authorization": f"Bearer x{secret}"},
            query={"access_token": secret},
        )
    room = await live.stage.room()
    await room.said_to("lycatra: hello")
    await room.said_to("!list updates")
    await live.tables.until_idle()
    log = live.replica.log().rpartition("\n")[0]
    for line in log.splitlines():
        assert {"ts", "level", "event", "replica"} <= json.loads(line).keys()
    done = [record["trigger_id"] for record in live.replica.records("turn_done")]
    assert {*room.asked} <= {*done}
    assert len(done) == len({*done})
    for secret in secret_values:
        assert secret not in log
