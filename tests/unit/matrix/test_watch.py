"""The watch: a homeserver that was away is caught up with once, when it is back."""

from lycatra_appservice.matrix.client import MatrixClient
from lycatra_appservice.matrix.watch import HomeserverWatch
from tests.support.homeserver_stub import Failure, HomeserverStub


async def test_a_homeserver_that_is_back_is_caught_up_with_once(
    stub: HomeserverStub, client: MatrixClient
) -> None:
    caught_up: list[str] = []

    async def catch_up() -> None:
        caught_up.append("now")

    watch = HomeserverWatch(client, catch_up)
    await watch.look()
    assert caught_up == []

    stub.fail(Failure(method="GET", contains="/versions", status=502, raw=b"away", times=2))
    await watch.look()
    await watch.look()
    assert caught_up == []

    await watch.look()
    await watch.look()
    assert caught_up == ["now"]


async def test_a_homeserver_that_refuses_is_there(
    stub: HomeserverStub, client: MatrixClient
) -> None:
    async def never() -> None:
        raise AssertionError("it was not away")

    watch = HomeserverWatch(client, never)
    stub.fail(Failure(method="GET", contains="/versions", status=403, errcode="M_FORBIDDEN"))
    await watch.look()
    await watch.look()
