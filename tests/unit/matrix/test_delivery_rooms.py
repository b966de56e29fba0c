"""What becomes of rows that enter or leave a room."""

import pytest

from lycatra_appservice.matrix.delivery import MatrixDeliverer
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import SendKind
from lycatra_appservice.turns.delivery import Delivered, Dropped, RetryLater
from tests.support.homeserver_stub import Failure, HomeserverStub
from tests.unit.matrix.conftest import ROOM
from tests.unit.matrix.delivery_rows import row


async def test_lycatra_accepts_an_invitation(
    deliverer: MatrixDeliverer, users: VirtualUsers, stub: HomeserverStub
) -> None:
    stub.rooms[ROOM].members[users.main] = "invite"
    joining = row(users.main, SendKind.JOIN, {"via": ["hs.test", "other.org"]})

    assert await deliverer.deliver(joining, look_first=False) == Delivered(None)
    assert stub.rooms[ROOM].members[users.main] == "join"
    assert [seen.path.rpartition("/")[2] for seen in stub.requests] == [ROOM]


async def test_a_ghost_that_is_not_invited_is_invited_by_lycatra(
    deliverer: MatrixDeliverer, users: VirtualUsers, stub: HomeserverStub
) -> None:
    ghost = users.of("services")

    result = await deliverer.deliver(row(ghost, SendKind.JOIN, {}), look_first=False)

    assert result == Delivered(None)
    assert stub.rooms[ROOM].members[ghost] == "join"
    (invitation,) = stub.asked("POST", "/invite")
    assert invitation.user == users.main


async def test_joining_twice_is_done_and_invites_nobody(
    deliverer: MatrixDeliverer, users: VirtualUsers, stub: HomeserverStub
) -> None:
    joining = row(users.of("updates"), SendKind.JOIN, {})

    assert await deliverer.deliver(joining, look_first=True) == Delivered(None)
    assert stub.asked("POST", "/invite") == []


async def test_an_invitation_refused_because_the_ghost_is_in_is_no_obstacle(
    deliverer: MatrixDeliverer, users: VirtualUsers, stub: HomeserverStub
) -> None:
    stub.fail(Failure(method="POST", contains="/join/", status=403, errcode="M_FORBIDDEN"))
    joining = row(users.of("updates"), SendKind.JOIN, {})

    assert await deliverer.deliver(joining, look_first=False) == Delivered(None)
    assert len(stub.asked("POST", "/invite")) == 1


@pytest.mark.parametrize("obstacle", ["banned", "no right to invite"])
async def test_a_ghost_that_cannot_come_in_is_dropped(
    deliverer: MatrixDeliverer, users: VirtualUsers, stub: HomeserverStub, obstacle: str
) -> None:
    ghost = users.of("services")
    if obstacle == "banned":
        stub.rooms[ROOM].members[ghost] = "ban"
    else:
        stub.rooms[ROOM].silenced.add(users.main)

    result = await deliverer.deliver(row(ghost, SendKind.JOIN, {}), look_first=False)

    assert isinstance(result, Dropped)


async def test_a_ghost_is_made_before_it_joins(
    deliverer: MatrixDeliverer, users: VirtualUsers, stub: HomeserverStub
) -> None:
    ghost = users.of("services")
    stub.users.discard(ghost)
    stub.devices.discard((ghost, "LYC"))

    result = await deliverer.deliver(row(ghost, SendKind.JOIN, {}), look_first=False)

    assert result == Delivered(None)
    assert stub.rooms[ROOM].members[ghost] == "join"


async def test_lycatra_does_not_invite_itself(
    deliverer: MatrixDeliverer, users: VirtualUsers, stub: HomeserverStub
) -> None:
    stub.rooms[ROOM].members[users.main] = "ban"

    result = await deliverer.deliver(row(users.main, SendKind.JOIN, {}), look_first=False)

    assert isinstance(result, Dropped)
    assert stub.asked("POST", "/invite") == []


async def test_a_join_that_the_homeserver_cannot_do_now_comes_later(
    deliverer: MatrixDeliverer, users: VirtualUsers, stub: HomeserverStub
) -> None:
    stub.fail(Failure(method="POST", contains="/join/", status=504))

    result = await deliverer.deliver(row(users.main, SendKind.JOIN, {}), look_first=False)

    assert isinstance(result, RetryLater)


async def test_a_busy_homeserver_while_inviting_comes_later_too(
    deliverer: MatrixDeliverer, users: VirtualUsers, stub: HomeserverStub
) -> None:
    stub.fail(Failure(method="POST", contains="/invite", status=429, errcode="M_LIMIT_EXCEEDED"))
    joining = row(users.of("services"), SendKind.JOIN, {})

    assert isinstance(await deliverer.deliver(joining, look_first=False), RetryLater)


async def test_leaving_says_why(
    deliverer: MatrixDeliverer, users: VirtualUsers, stub: HomeserverStub
) -> None:
    leaving = row(users.main, SendKind.LEAVE, {"reason": "Please ask an admin to invite me."})

    assert await deliverer.deliver(leaving, look_first=False) == Delivered(None)
    assert stub.rooms[ROOM].members[users.main] == "leave"
    assert stub.requests[-1].json == {"reason": "Please ask an admin to invite me."}


async def test_leaving_a_room_that_one_is_not_in_is_done(
    deliverer: MatrixDeliverer, users: VirtualUsers
) -> None:
    leaving = row(users.of("services"), SendKind.LEAVE, {})

    assert await deliverer.deliver(leaving, look_first=False) == Delivered(None)
