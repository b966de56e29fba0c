"""What becomes of rows that carry files."""

from lycatra_appservice.matrix.delivery import MatrixDeliverer
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import SendKind
from lycatra_appservice.turns.delivery import Delivered, Dropped, RetryLater
from tests.support.homeserver_stub import Failure, HomeserverStub
from tests.unit.matrix.conftest import ROOM
from tests.unit.matrix.delivery_rows import row

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


async def test_a_file_that_is_too_large_is_dropped_and_so_is_its_empty_message(
    deliverer: MatrixDeliverer, users: VirtualUsers, stub: HomeserverStub
) -> None:
    stub.fail(Failure(method="PUT", contains="/upload/", status=413, errcode="M_TOO_LARGE"))
    upload = row(users.main, SendKind.UPLOAD, ABOUT, data=DATA)

    assert isinstance(await deliverer.deliver(upload, look_first=False), Dropped)
    message = row(users.main, content=FILE, n=1)
    assert await deliverer.deliver(message, look_first=False) == Dropped(
        "its file was not uploaded"
    )


async def test_an_upload_without_its_bytes_is_dropped(
    deliverer: MatrixDeliverer, users: VirtualUsers, stub: HomeserverStub
) -> None:
    upload = row(users.main, SendKind.UPLOAD, ABOUT)

    assert isinstance(await deliverer.deliver(upload, look_first=False), Dropped)
    assert stub.media == {}
