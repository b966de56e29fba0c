"""What becomes of rows that carry files."""

import pytest

from lycatra_appservice.matrix.delivery import MatrixDeliverer
from lycatra_appservice.matrix.files import INSTEAD
from lycatra_appservice.matrix.render import MARKER as MARK
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import JSON, RoomID, SendKind
from lycatra_appservice.turns.delivery import Amended, Delivered, Dropped, RetryLater
from tests.support.homeserver_stub import Failure, HomeserverStub
from tests.unit.matrix.conftest import ROOM
from tests.unit.matrix.delivery_rows import MARKER, row

ABOUT = {"content_type": "text/csv", "filename": "report.csv"}
FILE = {"msgtype": "m.file", "body": "report.csv", "m.mentions": {}}
DATA = b"a,b\n1,2\n"


async def test_a_file_is_uploaded_and_its_message_points_to_it(
    deliverer: MatrixDeliverer, users: VirtualUsers, stub: HomeserverStub
) -> None:
    upload = row(users.main, SendKind.UPLOAD, ABOUT, data=DATA)

    uploaded = await deliverer.deliver(upload, look_first=False)

    assert isinstance(uploaded, Delivered)
    assert uploaded.event_id is None
    assert uploaded.mxc is not None
    assert stub.media[uploaded.mxc] == (users.main, DATA)
    message = row(users.main, content=FILE, mxc=uploaded.mxc, n=1)
    assert isinstance(await deliverer.deliver(message, look_first=False), Delivered)
    (event,) = stub.rooms[ROOM].events
    assert event["content"]["url"] == uploaded.mxc


async def test_an_upload_whose_answer_was_lost_is_not_made_twice(
    deliverer: MatrixDeliverer, users: VirtualUsers, stub: HomeserverStub
) -> None:
    stub.fail(Failure(method="PUT", contains="/upload/", status=502, after=True))
    upload = row(users.main, SendKind.UPLOAD, ABOUT, data=DATA)

    first = await deliverer.deliver(upload, look_first=False)

    assert isinstance(first, RetryLater)
    assert first.mxc is not None
    again = row(users.main, SendKind.UPLOAD, ABOUT, data=DATA, mxc=first.mxc)
    assert await deliverer.deliver(again, look_first=True) == Delivered(None, first.mxc)
    assert list(stub.media) == [first.mxc]


async def test_a_busy_media_repository_keeps_the_media_id(
    deliverer: MatrixDeliverer, users: VirtualUsers, stub: HomeserverStub
) -> None:
    stub.fail(Failure(method="PUT", contains="/upload/", status=429, errcode="M_LIMIT_EXCEEDED"))

    result = await deliverer.deliver(
        row(users.main, SendKind.UPLOAD, ABOUT, data=DATA), look_first=False
    )

    assert isinstance(result, RetryLater)
    assert result.mxc in stub.media


async def test_a_media_id_that_has_ended_is_replaced(
    deliverer: MatrixDeliverer, users: VirtualUsers, stub: HomeserverStub
) -> None:
    upload = row(users.main, SendKind.UPLOAD, ABOUT, data=DATA, mxc="mxc://hs.test/ended")

    result = await deliverer.deliver(upload, look_first=True)

    assert isinstance(result, Delivered)
    assert result.mxc is not None
    assert result.mxc != "mxc://hs.test/ended"
    assert stub.media[result.mxc] == (users.main, DATA)


async def test_a_file_that_is_too_large_is_dropped_and_a_line_says_so_in_its_place(
    deliverer: MatrixDeliverer, users: VirtualUsers, stub: HomeserverStub
) -> None:
    stub.fail(Failure(method="PUT", contains="/upload/", status=413, errcode="M_TOO_LARGE"))
    upload = row(users.main, SendKind.UPLOAD, ABOUT, data=DATA)

    assert isinstance(await deliverer.deliver(upload, look_first=False), Dropped)
    thread = {"rel_type": "m.thread", "event_id": "$root"}
    content = {**FILE, INSTEAD: "It is too large.", MARK: MARKER, "m.relates_to": thread}
    amended = await deliverer.deliver(row(users.main, content=content, n=1), look_first=False)
    assert isinstance(amended, Amended)
    assert amended.sender is None
    assert amended.content == {
        "msgtype": "m.notice",
        "body": "It is too large.",
        "m.mentions": {},
        "m.relates_to": thread,
        MARK: MARKER,
    }
    said = row(users.main, content=amended.content, n=1)
    assert isinstance(await deliverer.deliver(said, look_first=False), Delivered)
    assert [event["content"]["body"] for event in stub.rooms[ROOM].events] == ["It is too large."]


async def test_a_file_that_never_came_up_is_dropped_when_there_is_nothing_to_say_instead(
    deliverer: MatrixDeliverer, users: VirtualUsers
) -> None:
    message = row(users.main, content=FILE, n=1)

    assert await deliverer.deliver(message, look_first=False) == Dropped(
        "its file was not uploaded"
    )


async def test_what_would_have_been_said_instead_stays_with_us(
    deliverer: MatrixDeliverer, users: VirtualUsers, stub: HomeserverStub
) -> None:
    message = row(users.main, content={**FILE, INSTEAD: "words"}, mxc="mxc://hs.test/abc", n=1)

    assert isinstance(await deliverer.deliver(message, look_first=False), Delivered)
    (event,) = stub.rooms[ROOM].events
    assert event["content"] == {**FILE, "url": "mxc://hs.test/abc"}


@pytest.mark.parametrize("content", [ABOUT, {**FILE, INSTEAD: "words"}])
async def test_no_file_and_no_word_of_it_goes_into_an_encrypted_room(
    deliverer: MatrixDeliverer,
    users: VirtualUsers,
    stub: HomeserverStub,
    encrypted: set[RoomID],
    content: dict[str, JSON],
) -> None:
    encrypted.add(ROOM)
    kind = SendKind.UPLOAD if content is ABOUT else SendKind.MESSAGE
    data = DATA if content is ABOUT else None

    outcome = await deliverer.deliver(row(users.main, kind, content, data=data), look_first=False)

    assert outcome == Dropped("encrypted room")
    assert (stub.media, stub.rooms[ROOM].events) == ({}, [])


async def test_an_upload_without_its_bytes_is_dropped(
    deliverer: MatrixDeliverer, users: VirtualUsers, stub: HomeserverStub
) -> None:
    upload = row(users.main, SendKind.UPLOAD, ABOUT)

    assert isinstance(await deliverer.deliver(upload, look_first=False), Dropped)
    assert stub.media == {}
