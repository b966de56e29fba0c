"""`!mcp` in rooms and direct chats."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from lycatra_appservice.mcp.tokens import Scope, TokenStore
from lycatra_appservice.model import RoomID
from tests.support.scene import EVERYBODY, MAIN, PERSON, ROOM, STRANGER, Scene, open_scene
from tests.support.turns import query

DIRECT = RoomID("!direct")
_SECRET = re.compile(r"lyc_[A-Za-z0-9_-]{43}")


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with open_scene(tmp_path) as opened:
        opened.seat(*EVERYBODY)
        opened.seat(PERSON, MAIN, room_id=DIRECT)
        yield opened


async def ask(scene: Scene, words: str, room_id: RoomID = DIRECT) -> str:
    before = len(scene.said(room_id))
    await scene.push(scene.message(words, room_id=room_id))
    await scene.work()
    return "\n".join(said.body for said in scene.said(room_id)[before:])


async def test_alone_it_tells_how_to_connect(scene: Scene) -> None:
    said = await ask(scene, "!mcp")
    assert "https://bot.hs.test/mcp" in said
    assert "!mcp token new laptop" in said
    assert "claude mcp add" in said


async def test_a_token_is_shown_once_and_found_by_what_was_shown(scene: Scene) -> None:
    said = await ask(scene, "!mcp token new laptop --scope read --days 7")
    [secret, *_] = _SECRET.findall(said)
    token = await TokenStore(scene.database).find(secret)
    assert token is not None
    assert (token.owner, token.name, token.scope) == (PERSON, "laptop", Scope.READ)
    assert 6 <= token.left.days <= 7
    listed = await ask(scene, "!mcp token list")
    assert "laptop" in listed
    assert secret not in listed
    assert "ended" in await ask(scene, "!mcp token revoke laptop")
    assert await TokenStore(scene.database).find(secret) is None


async def test_the_message_with_the_token_is_taken_away_and_forgotten(scene: Scene) -> None:
    said = await ask(scene, "!mcp token new laptop")
    [secret, *_] = _SECRET.findall(said)
    assert await _holds(scene, secret)
    [later] = await query(
        scene.database,
        "SELECT run_at - created_at AS ms FROM turn WHERE trigger_id LIKE 'forget:%'",
    )
    assert abs(later["ms"] - 5 * 60 * 1000) < 1000  # two readings of a clock
    # Its time has come, and what it says is long settled.
    await query(scene.database, "UPDATE turn SET run_at = 0 RETURNING id")
    await query(scene.database, "UPDATE lane SET ready_at = 0 RETURNING key")
    await scene.work()
    redacted = [
        event for event in scene.stub.rooms[DIRECT].events if event["type"] == "m.room.redaction"
    ]
    assert len(redacted) == 1
    assert not await _holds(scene, secret)


async def test_in_a_group_the_answer_goes_into_the_direct_chat(scene: Scene) -> None:
    said = await ask(scene, "!mcp token new laptop --room HERE", room_id=ROOM)
    assert not _SECRET.search(said)
    [token] = await TokenStore(scene.database).of(PERSON)
    assert token.room_id == ROOM
    rooms = [str(event["content"]) for room in scene.stub.rooms.values() for event in room.events]
    assert sum(bool(_SECRET.search(each)) for each in rooms) == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("!mcp token new", "!mcp token new NAME"),
        ("!mcp token new 'my laptop'", "up to 40 letters"),
        ("!mcp token new x --days 0", "1 to 366 days"),
        ("!mcp token new x --days many", "1 to 366 days"),
        ("!mcp token new x --scope admin", "!mcp token new NAME"),
        ("!mcp token new x --wrong 1", "!mcp token new NAME"),
        ("!mcp token new x --days", "!mcp token new NAME"),
        ("!mcp token new x --room !elsewhere", "do not find the two of us"),
        ("!mcp token revoke nothing", "no token called `nothing`"),
        ("!mcp dance", "!mcp token new NAME"),
        ("!mcp token list", "no tokens"),
    ],
)
async def test_what_does_not_fit_is_told_with_what_does(
    scene: Scene, words: str, told: str
) -> None:
    assert told in await ask(scene, words)
    assert await TokenStore(scene.database).all() == []


async def test_long_dashes_of_phones_are_read_as_two_short_ones(scene: Scene) -> None:
    await ask(scene, "!mcp token new x \u2014days 3 \u2014scope=read")
    [token] = await TokenStore(scene.database).of(PERSON)
    assert token.scope is Scope.READ


async def test_a_name_that_is_taken_and_too_many_are_told(scene: Scene) -> None:
    await ask(scene, "!mcp token new x")
    assert "already" in await ask(scene, "!mcp token new x")
    assert len(await TokenStore(scene.database).all()) == 1


async def test_who_may_not_ask_gets_none(scene: Scene) -> None:
    scene.seat(STRANGER, MAIN, room_id=RoomID("!theirs"))
    await scene.push(scene.message("!mcp token new x", sender=STRANGER, room_id=RoomID("!theirs")))
    await scene.work()
    assert await TokenStore(scene.database).all() == []


async def _holds(scene: Scene, secret: str) -> bool:
    found: list[Any] = []
    for table in ("turn", "send", "step"):
        found += await query(scene.database, f"SELECT * FROM {table}")  # noqa: S608
    return secret in str([dict(row) for row in found])
