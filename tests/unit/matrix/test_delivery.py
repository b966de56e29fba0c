"""What becomes of rows that say something: each rule of the sending table."""

from datetime import timedelta

import pytest

from lycatra_appservice.errors import StoreUnavailableError
from lycatra_appservice.matrix.client import MatrixClient
from lycatra_appservice.matrix.delivery import MatrixDeliverer
from lycatra_appservice.matrix.errors import MatrixError
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import EventID, RoomID, SendKind
from lycatra_appservice.turns.delivery import (
    Amended,
    Delivered,
    Dropped,
    RetryLater,
    RoomLost,
    SendRow,
)
from tests.support.homeserver_stub import Failure, HomeserverStub
from tests.unit.matrix.conftest import ROOM
from tests.unit.matrix.delivery_rows import DRAFT_EDIT, EDIT, MARKER, REACTION, TEXT, row

THREADED = {**TEXT, "m.relates_to": {"rel_type": "m.thread", "event_id": "$has-a-relation"}}


def scripted(status: int, errcode: str | None = None, error: str = "scripted") -> Failure:
    return Failure(method="PUT", contains="/send/", status=status, errcode=errcode, error=error)


async def test_a_message_arrives_as_its_user_with_its_content(
    deliverer: MatrixDeliverer, users: VirtualUsers, stub: HomeserverStub
) -> None:
    result = await deliverer.deliver(row(users.of("updates")), look_first=False)

    (event,) = stub.rooms[ROOM].events
    assert result == Delivered(EventID(event["event_id"]))
    assert event["sender"] == users.of("updates")
    assert event["content"] == TEXT


async def test_an_edit_and_a_reaction_are_aimed_at_the_row_they_belong_to(
    deliverer: MatrixDeliverer, users: VirtualUsers, stub: HomeserverStub
) -> None:
    target = EventID("$draft")
    edit = row(users.main, SendKind.EDIT, EDIT, target=target)
    reaction = row(users.main, SendKind.REACTION, REACTION, target=target, n=1)

    await deliverer.deliver(edit, look_first=False)
    await deliverer.deliver(reaction, look_first=False)

    said, reacted = stub.rooms[ROOM].events
    assert said["type"] == "m.room.message"
    assert said["content"]["m.relates_to"] == {"rel_type": "m.replace", "event_id": "$draft"}
    assert reacted["type"] == "m.reaction"
    assert reacted["content"]["m.relates_to"] == {
        "rel_type": "m.annotation",
        "key": "✅",
        "event_id": "$draft",
    }


async def test_a_redaction_takes_its_target_from_the_row_or_the_content(
    deliverer: MatrixDeliverer, users: VirtualUsers, stub: HomeserverStub
) -> None:
    known = {"redacts": "$known", "reason": "asked to forget"}
    own = row(users.main, SendKind.REDACTION, {}, target=EventID("$own"))
    other = row(users.main, SendKind.REDACTION, known, n=1)

    assert isinstance(await deliverer.deliver(own, look_first=False), Delivered)
    assert isinstance(await deliverer.deliver(other, look_first=False), Delivered)

    assert [event["content"] for event in stub.rooms[ROOM].events] == [
        {"redacts": "$own"},
        {"redacts": "$known", "reason": "asked to forget"},
    ]


# Look before resending


async def test_after_a_lost_answer_the_event_is_found_and_not_sent_again(
    deliverer: MatrixDeliverer, users: VirtualUsers, stub: HomeserverStub
) -> None:
    stub.fail(Failure(method="PUT", contains="/send/", status=502, after=True))
    first = await deliverer.deliver(row(users.main), look_first=False)
    stub.forget_transactions()

    second = await deliverer.deliver(row(users.main), look_first=True)

    assert isinstance(first, RetryLater)
    (event,) = stub.rooms[ROOM].events
    assert second == Delivered(EventID(event["event_id"]), was_there=True)
    assert len(stub.asked("PUT", "/send/")) == 1


async def test_what_is_not_found_is_sent(
    deliverer: MatrixDeliverer, users: VirtualUsers, stub: HomeserverStub
) -> None:
    await deliverer.deliver(row(users.main, n=1), look_first=False)

    result = await deliverer.deliver(row(users.main, n=2), look_first=True)

    assert isinstance(result, Delivered)
    assert len(stub.rooms[ROOM].events) == 2


async def test_an_event_many_pages_back_is_found_among_those_of_its_sender(
    deliverer: MatrixDeliverer, users: VirtualUsers, stub: HomeserverStub
) -> None:
    await deliverer.deliver(row(users.main), look_first=False)
    stub.forget_transactions()
    for n in range(250):
        stub.add_event(ROOM, {"sender": users.main, "content": {"body": f"own {n}"}})
        stub.add_event(ROOM, {"sender": "@person:hs.test", "content": {"body": f"other {n}"}})

    result = await deliverer.deliver(row(users.main), look_first=True)

    assert result == Delivered(EventID(stub.rooms[ROOM].events[0]["event_id"]), was_there=True)
    assert len(stub.asked("GET", "/messages")) == 3


async def test_looking_ends_after_a_few_pages(
    deliverer: MatrixDeliverer, users: VirtualUsers, stub: HomeserverStub
) -> None:
    for n in range(700):
        stub.add_event(ROOM, {"sender": users.main, "content": {"body": f"own {n}"}})

    result = await deliverer.deliver(row(users.main), look_first=True)

    assert isinstance(result, Delivered)
    assert len(stub.asked("GET", "/messages")) == 5
    assert len(stub.rooms[ROOM].events) == 701


async def test_while_looking_is_impossible_nothing_is_sent(
    deliverer: MatrixDeliverer, users: VirtualUsers, stub: HomeserverStub
) -> None:
    stub.fail(Failure(method="GET", contains="/messages", status=503))

    assert await deliverer.deliver(row(users.main), look_first=True) == RetryLater(
        None, f"GET /_matrix/client/v3/rooms/{ROOM}/messages: 503, and no Matrix answer in it"
    )
    assert stub.asked("PUT", "/send/") == []


async def test_a_user_that_left_meanwhile_still_finds_what_it_said(
    deliverer: MatrixDeliverer, users: VirtualUsers, stub: HomeserverStub
) -> None:
    ghost = users.of("updates")
    await deliverer.deliver(row(ghost), look_first=False)
    stub.rooms[ROOM].members[ghost] = "leave"

    result = await deliverer.deliver(row(ghost), look_first=True)

    assert result == Delivered(EventID(stub.rooms[ROOM].events[0]["event_id"]), was_there=True)


# 403


async def test_a_ghost_that_may_not_send_is_spoken_for_by_name(
    deliverer: MatrixDeliverer, users: VirtualUsers, stub: HomeserverStub
) -> None:
    refused = row(users.of("services"))

    verdict = await deliverer.deliver(refused, look_first=False)

    assert isinstance(verdict, Amended)
    assert verdict.sender == users.main
    assert verdict.content is not None
    assert verdict.content["body"] == "Services: All is well."
    assert verdict.content["formatted_body"] == (
        "<p><strong>Services:</strong></p>\n<p>All is well.</p>"
    )
    assert verdict.content["org.lycatra.reply"] == MARKER
    again = row(users.main, content=verdict.content)
    assert isinstance(await deliverer.deliver(again, look_first=False), Delivered)
    assert len(stub.rooms[ROOM].events) == 1


async def test_a_ghost_from_a_namespace_that_is_gone_is_spoken_for_too(
    deliverer: MatrixDeliverer, users: VirtualUsers, stub: HomeserverStub
) -> None:
    gone = users.main.replace("lycatra", "lycatra_old")
    stub.add_user(gone)

    verdict = await deliverer.deliver(row(type(users.main)(gone)), look_first=False)

    assert isinstance(verdict, Amended)
    assert verdict.content is not None
    assert verdict.content["body"] == "lycatra_old: All is well."


async def test_the_last_edit_of_a_ghost_that_was_kicked_is_spoken_as_a_message(
    deliverer: MatrixDeliverer, users: VirtualUsers, stub: HomeserverStub
) -> None:
    edit = row(users.of("services"), SendKind.EDIT, EDIT, target=EventID("$draft"))

    verdict = await deliverer.deliver(edit, look_first=False)

    assert isinstance(verdict, Amended)
    assert verdict.content is not None
    again = row(users.main, SendKind.EDIT, verdict.content, target=EventID("$draft"))
    assert isinstance(await deliverer.deliver(again, look_first=False), Delivered)
    (event,) = stub.rooms[ROOM].events
    assert event["content"]["body"] == "Services: All is well."
    assert "m.relates_to" not in event["content"]
    assert "m.new_content" not in event["content"]


async def test_an_edit_of_a_draft_is_not_spoken_by_another(
    deliverer: MatrixDeliverer, users: VirtualUsers
) -> None:
    edit = row(users.of("services"), SendKind.EDIT, DRAFT_EDIT, target=EventID("$draft"))

    assert isinstance(await deliverer.deliver(edit, look_first=False), Dropped)


async def test_a_reaction_that_a_ghost_may_not_make_is_made_by_lycatra(
    deliverer: MatrixDeliverer, users: VirtualUsers
) -> None:
    reaction = row(users.of("services"), SendKind.REACTION, REACTION, target=EventID("$card"))

    verdict = await deliverer.deliver(reaction, look_first=False)

    assert isinstance(verdict, Amended)
    assert (verdict.sender, verdict.content) == (users.main, None)


@pytest.mark.parametrize("kind", [SendKind.REACTION, SendKind.REDACTION])
async def test_lycatra_lacking_a_right_does_not_lose_the_room(
    deliverer: MatrixDeliverer, users: VirtualUsers, stub: HomeserverStub, kind: SendKind
) -> None:
    stub.rooms[ROOM].silenced.add(users.main)
    content = REACTION if kind is SendKind.REACTION else {}
    refused = row(users.main, kind, content, target=EventID("$x"))

    assert isinstance(await deliverer.deliver(refused, look_first=False), Dropped)


@pytest.mark.parametrize("membership", ["leave", "ban", "silenced", "unknown room"])
async def test_a_room_where_lycatra_cannot_speak_is_lost(
    deliverer: MatrixDeliverer, users: VirtualUsers, stub: HomeserverStub, membership: str
) -> None:
    room_id = RoomID("!nowhere") if membership == "unknown room" else ROOM
    if membership == "silenced":
        stub.rooms[ROOM].silenced.add(users.main)
    else:
        stub.rooms[ROOM].members[users.main] = membership

    verdict = await deliverer.deliver(row(users.main, room_id=room_id), look_first=True)

    assert isinstance(verdict, RoomLost)


async def test_404_for_the_room_loses_it_too(
    deliverer: MatrixDeliverer, users: VirtualUsers, stub: HomeserverStub
) -> None:
    stub.fail(scripted(404, "M_NOT_FOUND"))

    assert isinstance(await deliverer.deliver(row(users.main), look_first=False), RoomLost)


# 400


async def test_a_refused_relation_is_left_out_once(
    deliverer: MatrixDeliverer, users: VirtualUsers, stub: HomeserverStub
) -> None:
    stub.fail(scripted(400, "M_UNKNOWN", "Cannot start threads from an event with a relation"))

    verdict = await deliverer.deliver(row(users.main, content=THREADED), look_first=False)

    assert isinstance(verdict, Amended)
    assert verdict.sender is None
    assert verdict.content == TEXT
    stub.fail(scripted(400, "M_UNKNOWN"))
    again = row(users.main, content=verdict.content)
    assert isinstance(await deliverer.deliver(again, look_first=False), Dropped)


async def test_an_edit_of_what_is_unknown_becomes_a_message(
    deliverer: MatrixDeliverer, users: VirtualUsers, stub: HomeserverStub
) -> None:
    stub.fail(scripted(400, "M_UNKNOWN", "Can't send relation to unknown event"))
    edit = row(users.main, SendKind.EDIT, EDIT, target=EventID("$unknown"))

    verdict = await deliverer.deliver(edit, look_first=False)

    assert isinstance(verdict, Amended)
    assert verdict.content == TEXT


@pytest.mark.parametrize(
    ("content", "kind", "expected"),
    [
        (EDIT, SendKind.EDIT, Amended),
        (DRAFT_EDIT, SendKind.EDIT, Dropped),
        (REACTION, SendKind.REACTION, Dropped),
        ({}, SendKind.REDACTION, Dropped),
    ],
)
async def test_what_lost_its_target_is_not_sent_into_the_void(
    deliverer: MatrixDeliverer,
    users: VirtualUsers,
    stub: HomeserverStub,
    content: dict[str, object],
    kind: SendKind,
    expected: type[Amended] | type[Dropped],
) -> None:
    verdict = await deliverer.deliver(row(users.main, kind, content), look_first=False)

    assert isinstance(verdict, expected)
    if isinstance(verdict, Amended):
        assert verdict.content == TEXT
    assert stub.rooms[ROOM].events == []


async def test_a_reaction_that_is_there_already_is_done(
    deliverer: MatrixDeliverer, users: VirtualUsers, stub: HomeserverStub
) -> None:
    stub.fail(scripted(400, "M_DUPLICATE_ANNOTATION"))
    reaction = row(users.main, SendKind.REACTION, REACTION, target=EventID("$card"))

    assert await deliverer.deliver(reaction, look_first=False) == Delivered(None)


async def test_content_that_can_never_go_is_dropped(
    deliverer: MatrixDeliverer, users: VirtualUsers, stub: HomeserverStub
) -> None:
    stub.fail(scripted(400, "M_BAD_JSON", "no"))

    assert await deliverer.deliver(row(users.main), look_first=False) == Dropped(
        "400 M_BAD_JSON: no"
    )


# Accounts


async def test_a_deleted_device_is_made_again_and_the_answer_goes_out_once(
    deliverer: MatrixDeliverer, users: VirtualUsers, stub: HomeserverStub
) -> None:
    await deliverer.deliver(row(users.main), look_first=False)
    stub.devices.discard((users.main, "LYC"))
    stub.forget_transactions()

    result = await deliverer.deliver(row(users.main), look_first=False)

    assert isinstance(result, Delivered)
    assert (users.main, "LYC") in stub.devices
    assert len(stub.rooms[ROOM].events) == 1


async def test_a_user_that_is_not_registered_yet_is_made_with_its_name(
    deliverer: MatrixDeliverer, users: VirtualUsers, stub: HomeserverStub
) -> None:
    ghost = users.of("services")
    stub.users.discard(ghost)
    stub.devices.discard((ghost, "LYC"))
    stub.rooms[ROOM].members[ghost] = "join"

    result = await deliverer.deliver(row(ghost), look_first=True)

    assert isinstance(result, Delivered)
    assert (ghost, "LYC") in stub.devices
    assert stub.profiles[ghost] == {"displayname": "Services"}


async def test_a_user_that_is_not_configured_is_never_made(
    deliverer: MatrixDeliverer, users: VirtualUsers, stub: HomeserverStub
) -> None:
    nope = type(users.main)("@lycatra_nope:hs.test")

    verdict = await deliverer.deliver(row(nope), look_first=False)

    assert isinstance(verdict, Amended)
    assert nope not in stub.users
    stub.add_user(nope, device=None)
    assert isinstance(await deliverer.deliver(row(nope), look_first=False), Amended)
    assert (nope, "LYC") not in stub.devices


async def test_a_device_deleted_again_and_again_waits(
    deliverer: MatrixDeliverer, users: VirtualUsers, stub: HomeserverStub
) -> None:
    failure = stub.fail(scripted(400, "M_UNKNOWN_DEVICE"))
    failure.times = 9

    verdict = await deliverer.deliver(row(users.main), look_first=False)

    assert isinstance(verdict, RetryLater)
    assert failure.times == 7


# Later


@pytest.mark.parametrize(
    ("status", "errcode", "error"),
    [
        (403, "M_RESOURCE_LIMIT_EXCEEDED", "limit"),
        (403, "M_USER_DEACTIVATED", "gone"),
        (403, "M_USER_SUSPENDED", "suspended"),
        (403, "M_FORBIDDEN", "Application service cannot masquerade as this user (@x:y)."),
    ],
)
async def test_what_only_an_operator_can_end_is_tried_slowly(
    deliverer: MatrixDeliverer,
    users: VirtualUsers,
    stub: HomeserverStub,
    caplog: pytest.LogCaptureFixture,
    status: int,
    errcode: str,
    error: str,
) -> None:
    stub.fail(scripted(status, errcode, error))

    verdict = await deliverer.deliver(row(users.main), look_first=False)

    assert verdict == RetryLater(timedelta(minutes=10), f"{status} {errcode}: {error}")
    assert [record.levelname for record in caplog.records if record.msg == "send_refused"] == [
        "ERROR"
    ]


async def test_a_refused_token_is_tried_again_soon_since_a_rotation_ends(
    deliverer: MatrixDeliverer, users: VirtualUsers, stub: HomeserverStub
) -> None:
    stub.fail(scripted(401, "M_UNKNOWN_TOKEN", "what token"))

    verdict = await deliverer.deliver(row(users.main), look_first=False)

    assert verdict == RetryLater(timedelta(seconds=10), "401 M_UNKNOWN_TOKEN: what token")


@pytest.mark.parametrize(
    ("asked_for", "waits"),
    [
        (2500, timedelta(milliseconds=2500)),
        (86_400_000, timedelta(minutes=10)),
        (None, None),
    ],
)
async def test_429_waits_as_long_as_asked_within_reason(
    deliverer: MatrixDeliverer,
    users: VirtualUsers,
    stub: HomeserverStub,
    asked_for: int | None,
    waits: timedelta | None,
) -> None:
    failure = stub.fail(scripted(429, "M_LIMIT_EXCEEDED"))
    failure.more = {"retry_after_ms": asked_for}

    verdict = await deliverer.deliver(row(users.main), look_first=False)

    assert isinstance(verdict, RetryLater)
    assert verdict.after == waits
    assert verdict.was_refused  # so that nobody has to look whether it is there


@pytest.mark.parametrize(("status", "errcode"), [(500, "M_UNKNOWN"), (502, None), (504, None)])
async def test_the_homeservers_own_faults_are_left_to_the_back_off(
    deliverer: MatrixDeliverer,
    users: VirtualUsers,
    stub: HomeserverStub,
    status: int,
    errcode: str | None,
) -> None:
    stub.fail(scripted(status, errcode))

    verdict = await deliverer.deliver(row(users.main), look_first=False)

    assert isinstance(verdict, RetryLater)
    assert not verdict.was_refused
    assert verdict.after is None


# 413


async def test_a_text_too_large_is_shortened_once(
    deliverer: MatrixDeliverer, users: VirtualUsers, stub: HomeserverStub
) -> None:
    long = {**TEXT, "body": "ü" * 30_000, "formatted_body": "<p>" + "ü" * 30_000}
    stub.fail(scripted(413, "M_TOO_LARGE"))

    verdict = await deliverer.deliver(row(users.main, content=long), look_first=False)

    assert isinstance(verdict, Amended)
    assert verdict.content is not None
    assert verdict.content["body"].startswith("üüü")
    assert "Ask for less at once" in verdict.content["body"]
    assert verdict.content["org.lycatra.reply"] == MARKER
    assert len(str(verdict.content).encode()) < 20_000
    stub.fail(scripted(413, "M_TOO_LARGE"))
    again = row(users.main, content=verdict.content)
    assert isinstance(await deliverer.deliver(again, look_first=False), Dropped)


async def test_a_shortened_text_says_so_in_its_own_language(
    deliverer: MatrixDeliverer, users: VirtualUsers, stub: HomeserverStub
) -> None:
    long = {**TEXT, "body": "Das ist nicht neu. " * 3_000}
    stub.fail(scripted(413, "M_TOO_LARGE"))

    verdict = await deliverer.deliver(row(users.main, content=long), look_first=False)

    assert isinstance(verdict, Amended)
    assert verdict.content is not None
    assert verdict.content["body"].endswith("Frag nach weniger auf einmal.)")


async def test_an_edit_too_large_stays_an_edit(
    deliverer: MatrixDeliverer, users: VirtualUsers, stub: HomeserverStub
) -> None:
    long = {**TEXT, "body": "x" * 40_000}
    edit = {**EDIT, "body": "* " + "x" * 40_000, "m.new_content": long}
    stub.fail(scripted(413, "M_TOO_LARGE"))

    verdict = await deliverer.deliver(
        row(users.main, SendKind.EDIT, edit, target=EventID("$draft")), look_first=False
    )

    assert isinstance(verdict, Amended)
    assert verdict.content is not None
    assert verdict.content["m.relates_to"] == {"rel_type": "m.replace"}
    assert "Ask for less at once" in verdict.content["m.new_content"]["body"]


# Encrypted rooms


@pytest.mark.parametrize("kind", [SendKind.MESSAGE, SendKind.EDIT, SendKind.UPLOAD])
async def test_no_cleartext_goes_into_an_encrypted_room(
    deliverer: MatrixDeliverer,
    users: VirtualUsers,
    stub: HomeserverStub,
    encrypted: set[RoomID],
    kind: SendKind,
) -> None:
    encrypted.add(ROOM)
    content = EDIT if kind is SendKind.EDIT else TEXT
    told = row(users.main, kind, content, target=EventID("$x"), data=b"x")

    assert await deliverer.deliver(told, look_first=False) == Dropped("encrypted room")
    assert stub.requests == []


async def test_what_was_said_before_a_room_became_encrypted_counts_as_delivered(
    deliverer: MatrixDeliverer,
    users: VirtualUsers,
    encrypted: set[RoomID],
) -> None:
    first = await deliverer.deliver(row(users.main), look_first=False)
    encrypted.add(ROOM)

    assert isinstance(first, Delivered)
    again = await deliverer.deliver(row(users.main), look_first=True)
    assert again == Delivered(first.event_id, was_there=True)


async def test_while_encryption_is_unknown_nothing_is_sent(
    client: MatrixClient, users: VirtualUsers, stub: HomeserverStub
) -> None:
    async def unknown(room_id: RoomID) -> bool:
        raise StoreUnavailableError(room_id)

    deliverer = MatrixDeliverer(client, users, is_encrypted=unknown)

    with pytest.raises(StoreUnavailableError):
        await deliverer.deliver(row(users.main), look_first=False)
    assert stub.requests == []


async def test_a_room_that_none_of_us_is_in_any_more_is_lost_and_nothing_is_sent(
    client: MatrixClient, users: VirtualUsers, stub: HomeserverStub
) -> None:
    async def nobody_may_look(room_id: RoomID) -> bool:
        raise MatrixError(403, "M_FORBIDDEN", "none of us is in this room")

    deliverer = MatrixDeliverer(client, users, is_encrypted=nobody_may_look)

    outcome = await deliverer.deliver(row(users.main), look_first=False)

    assert isinstance(outcome, RoomLost)
    assert stub.requests == []


async def test_refusals_are_logged_without_what_was_said(
    deliverer: MatrixDeliverer,
    users: VirtualUsers,
    stub: HomeserverStub,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG", logger="lycatra_appservice")
    secret: SendRow = row(users.main, content={**TEXT, "body": "between us"})
    stub.fail(scripted(403, "M_FORBIDDEN"))

    await deliverer.deliver(secret, look_first=False)

    (record,) = [each for each in caplog.records if each.msg == "send_refused"]
    assert vars(record)["errcode"] == "M_FORBIDDEN"
    assert vars(record)["verdict"] == "RoomLost"
    assert "between us" not in str([vars(each) for each in caplog.records])
