"""The routes that the homeserver calls, over HTTP and with a real inbox."""

import asyncio
import json
import tracemalloc
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from aiohttp import ClientResponse, web
from aiohttp.pytest_plugin import AiohttpClient
from aiohttp.test_utils import TestClient
from pydantic import SecretStr

from lycatra_appservice.db.connection import Connection
from lycatra_appservice.db.migrate import UpgradableDatabase, migrate
from lycatra_appservice.db.open import open_database
from lycatra_appservice.db.statements import parse_statement
from lycatra_appservice.intake.classify import Classifier
from lycatra_appservice.intake.receiving import Receiving
from lycatra_appservice.intake.routes import MAX_BODY_BYTES, Intake
from lycatra_appservice.intake.sorter import EventSorter
from lycatra_appservice.intake.token import HomeserverToken
from lycatra_appservice.matrix.crypto.raw_inbox import RawInbox
from lycatra_appservice.model import JSON, RoomID
from lycatra_appservice.turns.inbox import Inbox
from tests.unit.chat.conversing import MAIN, PERSON, READER, UPDATES, USERS

TOKEN = "homeserver-token"
OLD_TOKEN = "homeserver-token-of-before"
RIGHT = {"Authorization": f"Bearer {TOKEN}"}
ROUTE = "/_matrix/app/v1"
Http = TestClient[web.Request, web.Application]


@dataclass
class Figures:
    """What the way in counts."""

    outcomes: list[str] = field(default_factory=list)
    new: int = 0
    known: int = 0
    dead: int = 0

    def transaction(self, outcome: str) -> None:
        self.outcomes.append(outcome)

    def stored(self, new: int, known: int, dead: int) -> None:
        self.new, self.known, self.dead = self.new + new, self.known + known, self.dead + dead


@dataclass
class Crowds:
    """Rooms in which only what names us can be meant for us."""

    rooms: set[str] = field(default_factory=set)
    kept: list[str] = field(default_factory=list)

    def is_crowd(self, room_id: RoomID) -> bool:
        return room_id in self.rooms

    def forget(self, room_id: RoomID) -> None:
        self.rooms.discard(room_id)

    async def recall(self, room_ids: Iterable[RoomID]) -> None:
        raise AssertionError("a push has no time for that")

    async def keep(self, connection: Connection, events: Sequence[JSON]) -> None:
        self.kept += [event["event_id"] for event in events]

    async def drop_in(self, connection: Connection, room_ids: Iterable[RoomID]) -> None:
        raise AssertionError("what is pushed is the latest")


@dataclass
class WayIn:
    """The routes with what stands behind them."""

    http: Http
    database: UpgradableDatabase
    figures: Figures
    crowds: Crowds
    heartbeats: list[str]

    async def push(
        self,
        *events: JSON,
        txn: str = "1",
        headers: Mapping[str, str] = RIGHT,
        beside: Mapping[str, JSON] = MappingProxyType({}),
    ) -> ClientResponse:
        return await self.push_raw(json.dumps({"events": events, **beside}), txn, headers)

    async def push_raw(
        self, body: str | bytes, txn: str = "1", headers: Mapping[str, str] = RIGHT
    ) -> ClientResponse:
        raw = BytesIO(body.encode() if isinstance(body, str) else body)
        return await self.http.put(f"{ROUTE}/transactions/{txn}", data=raw, headers=headers)

    async def rows(self, table: str) -> list[Mapping[str, Any]]:
        statement = parse_statement("rows", f"SELECT * FROM {table} ORDER BY 1")  # noqa: S608 (fixed names)
        return list(await self.database.fetch(statement))

    async def stored(self) -> Sequence[str]:
        return [row["trigger_id"] for row in await self.rows("turn")]

    async def inputs(self) -> Sequence[JSON]:
        return [json.loads(row["input"]) for row in await self.rows("turn")]

    async def is_untouched(self) -> bool:
        tables = ("turn", "lane", "txn", "dead_letter", "crypto_inbox")
        return not any([await self.rows(table) for table in tables])


@pytest.fixture
async def way_in(aiohttp_client: AiohttpClient, tmp_path: Path) -> AsyncIterator[WayIn]:
    database = (await open_database(f"sqlite:///{tmp_path / 'lycatra.db'}")).database
    await migrate(database)
    figures, crowds = Figures(), Crowds()
    heartbeats: list[str] = []

    async def beat(nonce: str) -> None:
        heartbeats.append(nonce)

    intake = Intake(
        HomeserverToken([SecretStr(TOKEN), SecretStr(OLD_TOKEN)]),
        Inbox(database),
        EventSorter(Classifier(USERS, READER), crowds),
        USERS,
        figures,
        beat,
        Receiving(RawInbox(database)),
    )
    application = web.Application()
    application.add_routes(intake.routes())
    yield WayIn(await aiohttp_client(application), database, figures, crowds, heartbeats)
    await database.close()


def message(name: str = "$a", body: str = "!help", **more: JSON) -> dict[str, JSON]:
    return {
        "type": "m.room.message",
        "event_id": name,
        "room_id": "!room",
        "sender": PERSON,
        "content": {"msgtype": "m.text", "body": body},
        **more,
    }


# Tokens


@pytest.mark.parametrize(
    ("headers", "query", "status", "errcode"),
    [
        ({}, "", 401, "M_MISSING_TOKEN"),
        ({}, f"?access_token={TOKEN}", 401, "M_MISSING_TOKEN"),
        ({"Authorization": f"Bearer {TOKEN}x"}, "", 403, "M_FORBIDDEN"),
        ({"Authorization": f"Bearer {TOKEN[:-1]}"}, "", 403, "M_FORBIDDEN"),
        ({"Authorization": "Bearer "}, "", 403, "M_FORBIDDEN"),
        ({"Authorization": TOKEN}, "", 403, "M_FORBIDDEN"),
        ({"Authorization": f"Basic {TOKEN}"}, "", 403, "M_FORBIDDEN"),
        ({"Authorization": "Bearer schlüssel-ключ"}, "", 403, "M_FORBIDDEN"),
        ({"Authorization": "Bearer wrong"}, f"?access_token={TOKEN}", 403, "M_FORBIDDEN"),
    ],
)
async def test_only_the_header_with_the_right_token_lets_in(
    way_in: WayIn, headers: Mapping[str, str], query: str, status: int, errcode: str
) -> None:
    for method, path in (
        ("PUT", "/transactions/1"),
        ("GET", f"/users/{MAIN}"),
        ("GET", "/rooms/%23lycatra_x:hs.test"),
        ("GET", "/thirdparty/protocol/x"),
        ("POST", "/ping"),
    ):
        body = json.dumps({"events": [message()]}) if method == "PUT" else None
        url = f"{ROUTE}{path}{query}"
        answer = await way_in.http.request(method, url, headers=headers, data=body)

        assert answer.status == status
        assert (await answer.json())["errcode"] == errcode
    assert await way_in.is_untouched()


async def test_two_tokens_at_once_are_none(way_in: WayIn) -> None:
    headers = [("Authorization", f"Bearer {TOKEN}"), ("Authorization", f"Bearer {OLD_TOKEN}")]

    answer = await way_in.http.put(f"{ROUTE}/transactions/1", data="{}", headers=headers)

    assert answer.status == 403


@pytest.mark.parametrize("token", [TOKEN, OLD_TOKEN])
async def test_while_a_token_is_rotated_both_let_in(way_in: WayIn, token: str) -> None:
    answer = await way_in.push(message(), headers={"Authorization": f"Bearer {token}"})

    assert answer.status == 200


async def test_a_refused_push_is_counted_and_its_body_not_read(way_in: WayIn) -> None:
    answer = await way_in.push_raw(b"x" * 2_000_000, headers={})

    assert answer.status == 401
    assert way_in.figures.outcomes == ["refused"]


# Transactions


async def test_a_push_is_answered_with_an_empty_object_when_it_is_stored(way_in: WayIn) -> None:
    answer = await way_in.push(message("$a"), message("$b", "good morning"), txn="7")

    assert (answer.status, await answer.json()) == (200, {})
    assert answer.content_type == "application/json"
    assert await way_in.stored() == ["$a", "$b"]
    assert [row["id"] for row in await way_in.rows("txn")] == ["7"]
    assert way_in.figures == Figures(outcomes=["stored"], new=2)


async def test_a_push_is_not_answered_before_it_is_stored(way_in: WayIn) -> None:
    async with way_in.database.transaction():
        pushing = asyncio.create_task(way_in.push(message()))
        # A request that needs no database comes back, the push does not.
        for _ in range(20):
            await way_in.http.post(f"{ROUTE}/ping", headers=RIGHT)
        assert not pushing.done()

    async with asyncio.timeout(10):
        assert (await pushing).status == 200
    assert await way_in.stored() == ["$a"]


async def test_a_push_that_cannot_be_stored_is_to_be_sent_again(way_in: WayIn) -> None:
    await way_in.database.close()

    answer = await way_in.push(message())

    assert answer.status == 503
    assert (await answer.json())["errcode"] == "M_UNAVAILABLE"
    assert way_in.figures.outcomes == ["unavailable"]


async def test_a_push_with_nothing_for_us_needs_no_database(way_in: WayIn) -> None:
    way_in.crowds.rooms.add("!room")
    await way_in.database.close()

    answer = await way_in.push(message(body="good morning"))

    assert (answer.status, await answer.json()) == (200, {})
    assert way_in.figures.outcomes == ["nothing"]


async def test_the_same_events_under_any_transaction_are_stored_once(way_in: WayIn) -> None:
    for txn in ("1", "1", "2"):
        assert (await way_in.push(message("$a"), txn=txn)).status == 200

    assert await way_in.stored() == ["$a"]
    assert way_in.figures == Figures(outcomes=["stored"] * 3, new=1, known=2)


async def test_other_events_under_a_used_transaction_are_stored(way_in: WayIn) -> None:
    await way_in.push(message("$a"), txn="1")
    await way_in.push(message("$b"), txn="1")

    assert await way_in.stored() == ["$a", "$b"]


async def test_events_are_stored_in_their_order(way_in: WayIn) -> None:
    names = [f"${n}" for n in (5, 3, 9, 1, 7)]

    await way_in.push(*(message(name, room_id=f"!{name}") for name in names))

    assert await way_in.stored() == names


async def test_an_event_is_stored_with_its_age_and_whether_it_is_surely_ours(
    way_in: WayIn,
) -> None:
    asked = message("$a", unsigned={"age": 1234})
    said = message("$b", "good morning", unsigned={"age": "old"})
    written = message("$c", unsigned=7)

    await way_in.push(asked, said, written)

    assert await way_in.inputs() == [
        {"event": asked, "age_ms": 1234, "surely": True, "via": "push"},
        {"event": said, "age_ms": None, "surely": False, "via": "push"},
        {"event": written, "age_ms": None, "surely": True, "via": "push"},
    ]


async def test_a_change_of_members_makes_a_room_no_crowd_for_what_follows(way_in: WayIn) -> None:
    way_in.crowds.rooms.add("!room")
    leaving = message(
        "$b", type="m.room.member", state_key=PERSON, content={"membership": "leave"}
    )

    await way_in.push(message("$a", "before"), leaving, message("$c", "after"))

    assert await way_in.stored() == ["$b", "$c"]


@pytest.mark.parametrize("name", ["to_device", "de.sorunome.msc2409.to_device"])
async def test_messages_between_devices_are_kept(way_in: WayIn, name: str) -> None:
    key = {"type": "m.room_key", "sender": PERSON, "to_user_id": MAIN, "to_device_id": "LYC"}

    answer = await way_in.push(beside={name: [key, {"nul": "\0\ud800"}]})

    assert answer.status == 200
    kept = [json.loads(row["raw"]) for row in await way_in.rows("crypto_inbox")]
    assert kept == [key, {"nul": "\0\ud800"}]


async def test_what_is_malformed_is_kept_with_its_reason_beside_its_neighbours(
    way_in: WayIn,
) -> None:
    answer = await way_in.push(
        message("$a"), {"event_id": "$bad", "room_id": 7}, None, message("$b\0"), message("$c")
    )

    assert answer.status == 200
    assert await way_in.stored() == ["$a", "$c"]
    letters = await way_in.rows("dead_letter")
    assert [(row["event_id"], row["reason"]) for row in letters] == [
        ("$bad", "no usable room_id"),
        (None, "not a JSON object"),
        (None, "no usable event_id"),
    ]
    assert json.loads(letters[0]["raw"]) == {"event_id": "$bad", "room_id": 7}
    assert way_in.figures == Figures(outcomes=["stored"], new=2, dead=3)


async def test_what_no_parser_reads_is_kept_beside_its_neighbours(way_in: WayIn) -> None:
    deep = "[" * 100_000 + "]" * 100_000
    events = [json.dumps(message("$a")), deep, json.dumps(message("$b"))]

    answer = await way_in.push_raw(f'{{"events": [{",".join(events)}]}}')

    assert answer.status == 200
    assert await way_in.stored() == ["$a", "$b"]
    [letter] = await way_in.rows("dead_letter")
    assert letter["raw"] == deep.encode()


async def test_a_huge_dead_letter_is_cut(way_in: WayIn) -> None:
    await way_in.push({"x": "y" * 1_000_000})

    [letter] = await way_in.rows("dead_letter")
    assert len(letter["raw"]) == 256 * 1024


async def test_an_event_of_any_depth_is_stored_or_kept_but_never_refused(way_in: WayIn) -> None:
    for depth in range(850, 1010, 3):
        nested = "[" * depth + "]" * depth
        whole = json.dumps(message(f"${depth}", "@@")).replace('"@@"', nested)
        answer = await way_in.push_raw(f'{{"events": [{whole}, {nested}]}}')
        assert answer.status == 200, depth

    stored, kept = await way_in.stored(), await way_in.rows("dead_letter")
    assert len(stored) + len(kept) == 2 * len(range(850, 1010, 3))


@pytest.mark.parametrize(
    "formatted", ["<![foo[", "<a href='https://matrix.to/#/@x:y'>x</a><![foo[", "<" * 9000, "&#x;"]
)
@pytest.mark.parametrize("body", ["lycatra_serv\u0131ces: x", "`" * 5001, "\0", "\ud800", "!\0"])
async def test_what_people_write_never_refuses_a_push(
    way_in: WayIn, formatted: str, body: str
) -> None:
    content = {"msgtype": "m.text", "body": body, "formatted_body": formatted}

    answer = await way_in.push(message("$a", content=content), message("$b"))

    assert answer.status == 200
    assert await way_in.stored() == ["$a", "$b"]


@pytest.mark.parametrize(
    "body", ["", "x", "[]", "null", "{}", '{"events": {}}', '{"events": [', b"\xff\xfe\x00"]
)
async def test_a_body_that_is_no_transaction_is_refused(way_in: WayIn, body: str | bytes) -> None:
    answer = await way_in.push_raw(body)

    assert answer.status == 400
    assert (await answer.json())["errcode"] == "M_NOT_JSON"
    assert await way_in.is_untouched()
    assert way_in.figures.outcomes == ["unreadable"]


async def test_a_legal_push_of_six_megabytes_is_taken(way_in: WayIn) -> None:
    chatter = [message(f"${n}", "x" * 60_000) for n in range(100)]

    assert (await way_in.push(*chatter)).status == 200
    assert len(await way_in.stored()) == 100


async def test_a_transaction_id_that_cannot_be_kept_refuses_nothing(way_in: WayIn) -> None:
    assert (await way_in.push(message(), txn="x" * 300)).status == 200

    assert await way_in.stored() == ["$a"]
    assert await way_in.rows("txn") == []


async def test_a_body_that_says_it_is_too_large_is_refused_unread(way_in: WayIn) -> None:
    tracemalloc.start()
    try:
        answer = await _head_only(way_in, f"Content-Length: {MAX_BODY_BYTES + 1}")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"M_TOO_LARGE" in answer
    assert peak < 1_000_000


async def test_a_body_that_turns_out_too_large_is_refused(way_in: WayIn) -> None:
    piece = b" " * (1024 * 1024)
    chunk = b"%x\r\n%s\r\n" % (len(piece), piece)
    pieces = MAX_BODY_BYTES // len(piece) + 1

    answer = await _head_only(way_in, "Transfer-Encoding: chunked", [chunk] * pieces)

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert await way_in.is_untouched()


async def _head_only(way_in: WayIn, header: str, body: Sequence[bytes] = ()) -> bytes:
    """The beginning of the answer to a request whose body never ends."""
    host, port = way_in.http.server.host, way_in.http.server.port
    reader, writer = await asyncio.open_connection(host, port)
    head = f"PUT {ROUTE}/transactions/1 HTTP/1.1\r\nHost: x\r\n{header}\r\n"
    writer.write(f"{head}Authorization: Bearer {TOKEN}\r\n\r\n".encode())
    async with asyncio.timeout(20):
        for piece in body:
            writer.write(piece)
            await writer.drain()
        answer = await reader.readuntil(b"}")
    writer.close()
    return answer


# Heartbeats


def heartbeat(nonce: str) -> dict[str, JSON]:
    return message("$h", type="org.lycatra.heartbeat", sender=MAIN, content={"nonce": nonce})


async def test_a_heartbeat_is_passed_on_and_not_stored(way_in: WayIn) -> None:
    answer = await way_in.push(heartbeat("one"))

    assert answer.status == 200
    assert way_in.heartbeats == ["one"]
    assert await way_in.is_untouched()


async def test_a_heartbeat_is_not_passed_on_from_a_push_that_comes_again(way_in: WayIn) -> None:
    await way_in.database.close()

    answer = await way_in.push(message(), heartbeat("one"))

    assert answer.status == 503
    assert way_in.heartbeats == []


# The other routes


@pytest.mark.parametrize(
    ("user", "status"),
    [
        (MAIN, 200),
        (UPDATES, 200),
        (USERS.sender, 200),
        ("@lycatra_nope:hs.test", 404),
        ("@lycatra:elsewhere.org", 404),
        ("lycatra", 404),
        ("%00", 404),
        ("%ff", 404),
    ],
)
async def test_only_users_that_we_run_exist(way_in: WayIn, user: str, status: int) -> None:
    await way_in.database.close()  # it is asked before each push, and must not wait

    answer = await way_in.http.get(f"{ROUTE}/users/{user}", headers=RIGHT)

    assert answer.status == status
    body = await answer.json()
    assert body == {} if status == 200 else body["errcode"] == "M_NOT_FOUND"


async def test_a_user_id_may_be_escaped(way_in: WayIn) -> None:
    url = f"{ROUTE}/users/%40lycatra%3Ahs.test"

    assert (await way_in.http.get(url, headers=RIGHT)).status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/rooms/%23lycatra_control:hs.test",
        "/thirdparty/protocol/irc",
        "/thirdparty/user",
        "/thirdparty/location/irc",
    ],
)
async def test_we_make_no_rooms_and_know_no_third_parties(way_in: WayIn, path: str) -> None:
    answer = await way_in.http.get(f"{ROUTE}{path}", headers=RIGHT)

    assert answer.status == 404
    assert (await answer.json())["errcode"] == "M_NOT_FOUND"


async def test_a_ping_is_answered(way_in: WayIn) -> None:
    answer = await way_in.http.post(
        f"{ROUTE}/ping", headers=RIGHT, json={"transaction_id": "lyc-1"}
    )

    assert (answer.status, await answer.json()) == (200, {})
