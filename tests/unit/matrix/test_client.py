"""The thin client, against a homeserver on loopback."""

import asyncio
import logging
from datetime import timedelta

import aiohttp
import pytest
from pydantic import SecretStr

from lycatra_appservice.matrix.client import MatrixClient
from lycatra_appservice.matrix.errors import (
    HomeserverUnavailableError,
    MatrixError,
    TryLaterError,
)
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import EventID, RoomID, UserID
from tests.support.homeserver_stub import AS_TOKEN, Failure, HomeserverStub
from tests.unit.matrix.conftest import ROOM

TEXT = {"msgtype": "m.text", "body": "hello"}


async def test_every_call_about_a_room_names_its_user_and_device(
    client: MatrixClient, users: VirtualUsers, stub: HomeserverStub
) -> None:
    main, ghost = users.main, users.of("services")
    event_id = await client.send_event(ROOM, "m.room.message", "t1", TEXT, as_user=main)
    await client.invite(ROOM, ghost, as_user=main)
    await client.join(ROOM, ["hs.test", "other.org"], as_user=ghost)
    await client.typing(ROOM, True, timedelta(seconds=20), as_user=main)
    await client.typing(ROOM, False, as_user=main)
    await client.put_state(ROOM, "m.room.topic", {"topic": "x"}, as_user=main)
    assert await client.state_event(ROOM, "m.room.topic", as_user=main) == {"topic": "x"}
    assert await client.state_event(ROOM, "m.room.name", as_user=main) is None
    types = [event["type"] for event in await client.state(ROOM, as_user=main)]
    assert types == ["m.room.member", "m.room.topic"]
    assert {event["state_key"] for event in await client.members(ROOM, as_user=main)} == set(
        stub.rooms[ROOM].members
    )
    event = await client.event(ROOM, event_id, as_user=main)
    assert event is not None
    assert event["content"] == TEXT
    assert await client.event(ROOM, EventID("$none"), as_user=main) is None
    await client.redact(ROOM, event_id, "t2", "because", as_user=main)
    await client.messages(ROOM, as_user=main)
    assert await client.sync(as_user=main, since="s0") == {"next_batch": "s1"}
    await client.whoami(as_user=main)
    await client.put_displayname("Lycatra", as_user=main)
    await client.put_avatar_url("mxc://hs.test/a", as_user=main)
    assert await client.get_profile(main, as_user=main) == {
        "displayname": "Lycatra",
        "avatar_url": "mxc://hs.test/a",
    }
    assert await client.get_profile(UserID("@no:hs.test"), as_user=main) is None
    made = await client.create_room({"room_alias_name": "lycatra_control"}, as_user=main)
    assert await client.resolve_alias("#lycatra_control:hs.test", as_user=main) == made
    assert await client.resolve_alias("#none:hs.test", as_user=main) is None
    await client.leave(ROOM, "bye", as_user=ghost)

    assert stub.rooms[ROOM].members[ghost] == "leave"
    for seen in stub.requests:
        assert seen.query["user_id"] in {main, ghost}, seen.path
        assert seen.query["device_id"] == "LYC", seen.path


async def test_calls_where_a_device_would_be_wrong_name_none(
    client: MatrixClient, stub: HomeserverStub
) -> None:
    new = UserID("@lycatra_logs:hs.test")
    await client.ping("lycatra", "t1")
    assert await client.versions() == ["v1.1", "v1.15"]
    assert await client.register("lycatra_logs") is True
    assert await client.register("lycatra_logs") is False
    await client.put_device("Logs", as_user=new)

    assert (new, "LYC") in stub.devices
    assert all("device_id" not in seen.query for seen in stub.requests)
    assert stub.requests[2].json["inhibit_login"] is True


async def test_the_same_transaction_makes_one_event(
    client: MatrixClient, users: VirtualUsers, stub: HomeserverStub
) -> None:
    once = await client.send_event(ROOM, "m.room.message", "t1", TEXT, as_user=users.main)
    again = await client.send_event(ROOM, "m.room.message", "t1", TEXT, as_user=users.main)

    assert once == again
    assert len(stub.rooms[ROOM].events) == 1


async def test_ids_with_slashes_and_questions_reach_the_homeserver_whole(
    client: MatrixClient, users: VirtualUsers, stub: HomeserverStub
) -> None:
    odd = RoomID("!a/b?c#d%e é:hs.test")
    stub.add_room(odd, users.main)

    await client.send_event(odd, "org.example/odd type", "t/1", TEXT, as_user=users.main)

    assert [event["type"] for event in stub.rooms[odd].events] == ["org.example/odd type"]


async def test_a_media_id_is_filled_with_exactly_these_bytes(
    client: MatrixClient, users: VirtualUsers, stub: HomeserverStub
) -> None:
    data = bytes(range(256)) * 8192  # 2 MiB, above where aiohttp begins to warn
    mxc = await client.create_mxc(as_user=users.main)

    await client.upload(
        mxc, data, content_type="image/png", filename="a b.png", as_user=users.main
    )

    assert stub.media[mxc] == (users.main, data)
    seen = stub.requests[-1]
    assert seen.headers["Content-Type"] == "image/png"
    assert seen.headers["Content-Length"] == str(len(data))
    assert seen.query["filename"] == "a b.png"


async def test_a_refusal_keeps_status_errcode_and_reason(
    client: MatrixClient, users: VirtualUsers
) -> None:
    with pytest.raises(MatrixError) as caught:
        await client.send_event(
            RoomID("!unknown"), "m.room.message", "t1", TEXT, as_user=users.main
        )

    assert (caught.value.status, caught.value.errcode) == (403, "M_FORBIDDEN")
    assert "not in room" in caught.value.reason
    assert not caught.value.retryable


@pytest.mark.parametrize(
    ("failure", "wait"),
    [
        (Failure(method="GET", contains="sync", status=429, errcode="M_LIMIT_EXCEEDED"), None),
        (
            Failure(
                method="GET",
                contains="sync",
                status=429,
                errcode="M_LIMIT_EXCEEDED",
                more={"retry_after_ms": 1500},
                headers={"Retry-After": "99"},
            ),
            timedelta(milliseconds=1500),
        ),
        (
            Failure(
                method="GET",
                contains="sync",
                status=429,
                raw=b"slow down",
                headers={"Retry-After": "7"},
            ),
            timedelta(seconds=7),
        ),
        (
            Failure(
                method="GET",
                contains="sync",
                status=429,
                errcode="M_LIMIT_EXCEEDED",
                more={"retry_after_ms": -5},
            ),
            None,
        ),
        (
            Failure(
                method="GET",
                contains="sync",
                status=429,
                errcode="M_LIMIT_EXCEEDED",
                more={"retry_after_ms": 10**300},
            ),
            None,
        ),
        (
            Failure(
                method="GET",
                contains="sync",
                status=429,
                raw=b"",
                headers={"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"},
            ),
            None,
        ),
        (Failure(method="GET", contains="sync", status=500, errcode="M_UNKNOWN"), None),
    ],
)
async def test_what_may_go_later_says_when(
    client: MatrixClient,
    users: VirtualUsers,
    stub: HomeserverStub,
    failure: Failure,
    wait: timedelta | None,
) -> None:
    stub.fail(failure)

    with pytest.raises(TryLaterError) as caught:
        await client.sync(as_user=users.main)

    assert caught.value.retry_after == wait
    assert caught.value.retryable


@pytest.mark.parametrize(
    ("status", "raw"),
    [
        (502, b"<html>Bad gateway</html>"),
        (503, b""),
        (404, b"no such page"),
        (403, b'{"message": "not of Matrix"}'),
        (200, b"<html>Please log in</html>"),
        (200, b'"text"'),
        (200, b"\xff\xfe"),
        (200, b"[" * 100_000),
        (200, b'{"errcode": "x"}'),
    ],
)
async def test_an_answer_that_is_not_of_a_homeserver_counts_as_none(
    client: MatrixClient, users: VirtualUsers, stub: HomeserverStub, status: int, raw: bytes
) -> None:
    stub.fail(Failure(method="PUT", contains="/send/", status=status, raw=raw))

    with pytest.raises(HomeserverUnavailableError):
        await client.send_event(ROOM, "m.room.message", "t1", TEXT, as_user=users.main)


async def test_the_token_does_not_follow_a_redirection(
    client: MatrixClient, users: VirtualUsers, stub: HomeserverStub
) -> None:
    elsewhere = {"Location": f"{stub.url}_matrix/client/versions"}
    stub.fail(Failure(method="GET", contains="sync", status=302, raw=b"", headers=elsewhere))

    with pytest.raises(HomeserverUnavailableError):
        await client.sync(as_user=users.main)
    assert len(stub.requests) == 1


async def test_a_body_too_large_for_a_proxy_is_too_large(
    client: MatrixClient, users: VirtualUsers, stub: HomeserverStub
) -> None:
    stub.fail(Failure(method="PUT", contains="/send/", status=413, raw=b"<html>"))

    with pytest.raises(MatrixError) as caught:
        await client.send_event(ROOM, "m.room.message", "t1", TEXT, as_user=users.main)

    assert caught.value.errcode == "M_TOO_LARGE"


async def test_a_homeserver_that_hangs_is_given_up(
    client: MatrixClient, users: VirtualUsers, stub: HomeserverStub
) -> None:
    answer = asyncio.Event()
    stub.fail(Failure(method="GET", contains="sync", status=200, hang=answer))

    async with asyncio.timeout(5):
        with pytest.raises(HomeserverUnavailableError, match="no answer in"):
            await client.within(timedelta(milliseconds=50)).sync(as_user=users.main)
    answer.set()


async def test_a_homeserver_that_is_not_there_is_unavailable(users: VirtualUsers) -> None:
    async with aiohttp.ClientSession() as session:
        client = MatrixClient(session, "http://127.0.0.1:1", SecretStr(AS_TOKEN))
        with pytest.raises(HomeserverUnavailableError):
            await client.whoami(as_user=users.main)


async def test_a_path_in_the_address_of_the_homeserver_is_kept(
    stub: HomeserverStub, users: VirtualUsers
) -> None:
    async with aiohttp.ClientSession() as session:
        client = MatrixClient(session, f"{stub.url}below/", SecretStr(AS_TOKEN))
        with pytest.raises(HomeserverUnavailableError):
            await client.whoami(as_user=users.main)

    assert stub.requests[0].path == "/below/_matrix/client/v3/account/whoami"


async def test_the_token_is_in_no_error_log_or_repr(
    users: VirtualUsers, stub: HomeserverStub, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with aiohttp.ClientSession() as session:
        client = MatrixClient(session, stub.url, SecretStr(AS_TOKEN))
        stub.fail(Failure(method="GET", contains="whoami", status=500, errcode="M_UNKNOWN"))
        shown = [repr(client), repr(vars(client))]
        for _ in range(2):
            try:
                shown.append(str(await client.whoami(as_user=users.main)))
            except MatrixError as exc:
                shown.append(f"{exc!r} {exc} {exc.__cause__!r}")

    assert AS_TOKEN not in "".join(shown) + caplog.text
