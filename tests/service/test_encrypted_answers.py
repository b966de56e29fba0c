"""Encrypted rooms on a real Synapse, by somebody else's client: answered, and never in clear."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from lycatra_appservice.model import JSON
from tests.support.encrypted_site import (
    PUSHES_KEYS,
    Phones,
    encryption,
    homeserver_events,
    is_secret,
    told,
)
from tests.support.live import Live, open_live
from tests.support.model_server import says
from tests.support.secret_person import SecretPerson, SecretRoom
from tests.support.site import Site, running_site
from tests.support.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


@pytest.fixture(scope="module")
def secret_site() -> Iterator[Site]:
    with running_site(overrides=PUSHES_KEYS) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(
    secret_site: Site, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Live]:
    folder = tmp_path_factory.mktemp("live")
    async with open_live(secret_site, folder, more=encryption()) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def live(service: Live) -> AsyncIterator[Live]:
    service.model.forget()
    yield service
    service.model.check()


@pytest_asyncio.fixture(loop_scope="module")
async def phones(live: Live, tmp_path: Path) -> AsyncIterator[Phones]:
    async with AsyncExitStack() as stack:
        yield Phones(live.stage, tmp_path, stack)


async def test_the_first_message_of_a_fresh_encrypted_chat_is_answered(
    live: Live, phones: Phones
) -> None:
    me = await phones.new()
    room = await me.make_room(live.users.main)

    answer = await room.answer_to(await room.say("!help"))

    assert "`!help assistant` tells more" in answer["content"]["body"]
    assert "body" not in answer["sealed"]
    assert is_secret(live.stage, room)


async def test_a_virtual_user_answers_in_a_chat_of_its_own(live: Live, phones: Phones) -> None:
    me = await phones.new()
    updates = f"@lycatra_updates:{live.stage.site.homeserver.server_name}"
    room = await me.make_room(updates)

    answer = await room.answer_to(await room.say("list updates"))

    assert answer["sender"] == updates
    assert is_secret(live.stage, room)


async def test_the_newcomer_is_greeted_in_secret(live: Live, phones: Phones) -> None:
    me = await phones.new()
    room = await me.make_room(live.users.main)

    async def is_greeted() -> bool:
        words = [event.get("content", {}).get("body", "") for event in await room.events()]
        return any("!help" in body for body in words if isinstance(body, str))

    await until(is_greeted, "a greeting")
    assert is_secret(live.stage, room)


async def test_in_a_group_everybody_can_read_the_answer(live: Live, phones: Phones) -> None:
    first, second = await phones.new(), await phones.new()
    room = await first.make_room(live.users.main, second.user_id, is_direct=False)
    theirs = await second.room(room.room_id)
    await room.until_joined(second.user_id)

    asked = await theirs.say("!help")

    read = [(await each.answer_to(asked))["content"]["body"] for each in (room, theirs)]
    assert read[0] == read[1]
    assert is_secret(live.stage, room)


async def test_whoever_comes_later_reads_from_then_on_and_whoever_left_no_more(
    live: Live, phones: Phones
) -> None:
    first, second = await phones.new(), await phones.new()
    room = await first.make_room(live.users.main, is_direct=False)
    before = await room.answer_to(await room.say("!help"))

    await first.person.invite(room.room_id, second.user_id)
    theirs = await second.room(room.room_id)
    await room.until_joined(second.user_id)
    between = await theirs.answer_to(await room.say("!whoami"))
    assert not any(
        event["event_id"] == before["event_id"] and "sealed" in event
        for event in await theirs.events()
    )

    await second.person.call("POST", f"/rooms/{room.room_id}/leave", {})
    await room.until_left(second.user_id)
    after = await room.answer_to(await room.say("!help"))
    sessions = [event["sealed"]["session_id"] for event in (before, between, after)]
    assert len(set(sessions)) == 3


async def test_a_new_device_reads_answers_and_a_removed_one_gets_no_more_keys(
    live: Live, phones: Phones
) -> None:
    phone = await phones.new()
    room = await phone.make_room(live.users.main)
    first = await room.answer_to(await room.say("!help"))

    laptop = await phones.new(phone.person, "LAPTOP")
    there = SecretRoom(room.room_id, laptop)
    await there.until_joined(live.users.main)
    await phone.catch_up()
    asked = await there.say("!whoami")
    second = await there.answer_to(asked)
    assert second["content"] == (await room.answer_to(asked))["content"]

    await laptop.client.logout()
    await phone.catch_up()
    third = await room.answer_to(await room.say("!help"))
    sessions = [event["sealed"]["session_id"] for event in (first, second, third)]
    assert len(set(sessions)) == 3
    assert is_secret(live.stage, room)


async def test_a_question_is_answered_by_the_model_and_edits_of_it_are_read(
    live: Live, phones: Phones
) -> None:
    live.model.will(says("It is fine."))
    me = await phones.new()
    room = await me.make_room(live.users.main)

    answer = await room.answer_to(await room.say("is all well?"))

    await until(lambda: told(room, "It is fine."), "the answer")
    assert answer["sealed"]["algorithm"] == "m.megolm.v1.aes-sha2"
    assert is_secret(live.stage, room)


async def test_what_is_taken_back_is_forgotten_with_its_answer(live: Live, phones: Phones) -> None:
    me = await phones.new()
    room = await me.make_room(live.users.main)
    secret_word = "gooseberry"
    asked = await room.say(f"!help {secret_word}")
    answer = await room.answer_to(asked)

    await me.person.redact(room.room_id, asked)

    async def is_gone() -> bool:
        stored = await live.tables.rows("SELECT input FROM turn")
        inbox = await live.tables.rows("SELECT raw FROM crypto_inbox WHERE raw IS NOT NULL")
        words = any(secret_word in row["input"] for row in stored)
        redacted = any(
            event["event_id"] == answer["event_id"] and not event["content"]
            for event in await room.raw_events()
        )
        return redacted and not words and not inbox

    await until(is_gone, "everything of it gone")


async def test_nothing_of_what_is_said_reaches_the_homeserver_in_clear(
    live: Live, phones: Phones
) -> None:
    me = await phones.new()
    room = await me.make_room(live.users.main)
    await room.said_to("!whoami")

    stored = str(homeserver_events(live.stage.site, room.room_id))
    assert "!whoami" not in stored
    assert "org.lycatra.reply" not in stored
    assert is_secret(live.stage, room)


async def test_only_one_device_of_each_of_us_encrypts_and_it_is_signed(
    live: Live, phones: Phones
) -> None:
    me = await phones.new()
    users = [str(user) for user in live.users.all]
    answer = await me.person.call("POST", "/keys/query", {"device_keys": {u: [] for u in users}})

    for user in users:
        [device] = answer["device_keys"][user].values()
        own_keys = answer["self_signing_keys"][user]["keys"]
        assert own_keys.keys() & device["signatures"][user].keys()
        assert answer["master_keys"][user]["user_id"] == user


async def test_without_the_key_it_is_said_once_and_answered_when_the_key_comes(
    live: Live, phones: Phones
) -> None:
    me = await phones.new()
    room = await me.make_room(live.users.main)
    await room.said_to("!help")

    asked, give_key = await room.say_without_key("!whoami")
    await until(lambda: told(room, "I cannot read your last message"), "what to do")
    again, _ = await room.say_without_key("!help", new_session=False)
    await give_key()

    assert me.user_id in (await room.answer_to(asked))["content"]["body"]
    await room.answer_to(again)
    notices = [event for event in await room.events() if "cannot read your last" in str(event)]
    assert len(notices) == 1
    assert is_secret(live.stage, room)


async def test_chats_that_begin_at_once_all_get_their_first_answer(
    live: Live, phones: Phones
) -> None:
    people = [await phones.new() for _ in range(6)]

    async def first_answer(me: SecretPerson) -> SecretRoom:
        room = await me.make_room(live.users.main)
        assert me.user_id in await room.said_to("!whoami")
        return room

    rooms = await asyncio.gather(*map(first_answer, people))

    assert is_secret(live.stage, *rooms)


async def test_the_key_for_when_there_are_no_others_is_another_one_once_it_was_used(
    live: Live, phones: Phones
) -> None:
    me, other = await phones.new(), await phones.new()
    room = await me.make_room(live.users.main)
    await room.said_to("!whoami")
    used = await last_key(other, str(live.users.main))

    await room.said_to("!whoami")

    async def is_another() -> bool:
        return bool(await last_key(other, str(live.users.main)) != used)

    await until(is_another, "another key")
    late = await other.make_room(live.users.main)
    assert other.user_id in await late.said_to("!whoami")


async def last_key(me: SecretPerson, user: str) -> JSON:
    """Take one key after the other, until there is only the one that is given to everybody."""
    answer = await me.person.call("POST", "/keys/query", {"device_keys": {user: []}})
    [device_id] = answer["device_keys"][user]
    body: JSON = {"one_time_keys": {user: {device_id: "signed_curve25519"}}}
    while True:
        taken = await me.person.call("POST", "/keys/claim", body)
        [key] = taken["one_time_keys"][user][device_id].values()
        if "fallback" in key:
            return key["key"]
