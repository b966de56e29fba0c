"""What may go in clear into an encrypted room: a fixed text, letter by letter, no more."""

from collections.abc import Mapping
from string import Formatter
from typing import Any

import pytest

from lycatra_appservice.matrix.delivery import MatrixDeliverer
from lycatra_appservice.matrix.encrypted_notice import (
    EncryptedNotice,
    encrypted_notice,
    is_encrypted_notice,
)
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import JSON, RoomID, SendKind
from lycatra_appservice.turns.delivery import Amended, Delivered, Dropped
from lycatra_appservice.words.catalogue import load_catalogue
from tests.support.homeserver_stub import HomeserverStub
from tests.unit.matrix.conftest import ROOM
from tests.unit.matrix.delivery_rows import EDIT, REACTION, TEXT, row

NOTICE = encrypted_notice(EncryptedNotice.DIRECT, "en", ROOM)


@pytest.mark.parametrize("language", [each.code for each in load_catalogue().languages])
@pytest.mark.parametrize("notice", list(EncryptedNotice))
async def test_a_fixed_text_goes_into_an_encrypted_room(
    deliverer: MatrixDeliverer,
    users: VirtualUsers,
    stub: HomeserverStub,
    encrypted: set[RoomID],
    notice: EncryptedNotice,
    language: str,
) -> None:
    encrypted.add(ROOM)
    content = encrypted_notice(notice, language, ROOM)

    assert isinstance(
        await deliverer.deliver(row(users.main, content=content), look_first=False), Delivered
    )
    [said] = stub.rooms[ROOM].events
    assert said["content"] == content


def changed(**change: JSON) -> Mapping[str, Any]:
    named = {key.replace("m_", "m.", 1): value for key, value in change.items()}
    return {**NOTICE, **named}


def marked(**change: JSON) -> Mapping[str, Any]:
    return {**NOTICE, "org.lycatra.reply": {**NOTICE["org.lycatra.reply"], **change}}


@pytest.mark.parametrize(
    "content",
    [
        TEXT,
        {**TEXT, "org.lycatra.reply": NOTICE["org.lycatra.reply"]},
        changed(body=NOTICE["body"] + " The disk is full."),
        changed(body=f"Updates: {NOTICE['body']}"),
        changed(body=NOTICE["body"].upper()),
        changed(msgtype="m.text"),
        changed(formatted_body="<p>The disk is full.</p>", format="org.matrix.custom.html"),
        changed(m_mentions={"user_ids": ["@person:hs.test"]}),
        changed(m_relates_to={"m.in_reply_to": {"event_id": "$x"}}),
        changed(note="The disk is full."),
        marked(kind="message"),
        marked(to="The disk is full."),
        marked(to="!another-room"),
        marked(more="The disk is full."),
        {**NOTICE, "org.lycatra.reply": "encrypted_room"},
    ],
)
async def test_what_differs_from_a_fixed_text_stays_out(
    deliverer: MatrixDeliverer,
    users: VirtualUsers,
    stub: HomeserverStub,
    encrypted: set[RoomID],
    content: Mapping[str, Any],
) -> None:
    encrypted.add(ROOM)
    told = row(users.main, content=content)

    assert await deliverer.deliver(told, look_first=False) == Dropped("encrypted room")
    assert stub.rooms[ROOM].events == []


async def test_a_fixed_text_as_an_edit_stays_out(
    deliverer: MatrixDeliverer,
    users: VirtualUsers,
    stub: HomeserverStub,
    encrypted: set[RoomID],
) -> None:
    encrypted.add(ROOM)
    for content in (NOTICE, {**EDIT, "m.new_content": NOTICE}):
        told = row(users.main, SendKind.EDIT, content)
        assert await deliverer.deliver(told, look_first=False) == Dropped("encrypted room")
    assert stub.rooms[ROOM].events == []


async def test_who_may_not_speak_there_lets_nobody_add_a_name_to_it(
    deliverer: MatrixDeliverer,
    users: VirtualUsers,
    stub: HomeserverStub,
    encrypted: set[RoomID],
) -> None:
    encrypted.add(ROOM)
    stub.rooms[ROOM].silenced.add(users.of("updates"))
    told = row(users.of("updates"), content=NOTICE)

    amended = await deliverer.deliver(told, look_first=False)

    assert isinstance(amended, Amended)
    assert amended.content is not None
    instead = row(users.main, content=amended.content)
    assert await deliverer.deliver(instead, look_first=False) == Dropped("encrypted room")


async def test_it_is_found_in_the_room_by_a_database_that_knows_nothing(
    deliverer: MatrixDeliverer, users: VirtualUsers, stub: HomeserverStub
) -> None:
    first = await deliverer.deliver(row(users.main, content=NOTICE), look_first=False)
    stub.forget_transactions()

    again = await deliverer.deliver(row(users.main, content=NOTICE), look_first=False)

    assert isinstance(first, Delivered)
    assert again == Delivered(first.event_id, was_there=True)
    assert len(stub.rooms[ROOM].events) == 1


@pytest.mark.parametrize("language", load_catalogue().languages, ids=lambda each: each.code)
def test_nothing_is_filled_into_the_fixed_texts(language: Any) -> None:
    for notice in EncryptedNotice:
        fields = {
            name for _, name, _, _ in Formatter().parse(language.texts[f"encrypted_room_{notice}"])
        }
        assert fields == {None}


def test_an_ordinary_content_is_none() -> None:
    for content in (TEXT, EDIT, REACTION, {}):
        assert not is_encrypted_notice(content, ROOM)
    assert is_encrypted_notice(NOTICE, ROOM)
