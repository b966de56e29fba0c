"""An MCP server of others on a real Synapse: its user answers, waits for people, asks them."""

import sys
from pathlib import Path

import pytest

from lycatra_appservice.model import JSON, EventID, UserID
from tests.support.lycatra import Lycatra
from tests.support.site import Site
from tests.support.stage import Room, Stage, open_stage, sqlite_in
from tests.support.waiting import until

pytestmark = pytest.mark.slow

SOURCES = Path(__file__).parents[2]


def settings_of(site: Site, folder: Path) -> dict[str, JSON]:
    return {
        "access": {"operator": [f"*:{site.homeserver.server_name}"]},
        "mcp_servers": {
            "peer": {
                "command": sys.executable,
                "args": ["-m", "tests.support.mcp_program", "stdio"],
                "env": {"PYTHONPATH": str(SOURCES)},
                "folder": str(folder),
                "approval": {"*": "none", "write_note": "default"},
            }
        },
    }


async def is_ready(room: Room) -> None:
    """Wait until the server's tools are there."""

    async def knows_them() -> bool:
        return "is connected" in await room.said_to("!peer status")

    await until(knows_them, "the server is connected")


async def event_with(room: Room, words: str) -> JSON:
    """Wait for a message with these words."""
    found: list[JSON] = []

    async def came() -> bool:
        found[:] = [
            event
            for event in await room.events()
            if words in str(event.get("content", {}).get("body", ""))
        ]
        return bool(found)

    await until(came, f"a message with {words!r}")
    return found[0]


async def begin(stage: Stage, tmp_path: Path) -> tuple[Lycatra, Room, UserID]:
    more = settings_of(stage.site, tmp_path)
    replica = await stage.replica(sqlite_in(tmp_path), more=more)
    await replica.start()
    peer = UserID(f"@lycatra_peer:{stage.site.homeserver.server_name}")
    room = await stage.room(invite=[stage.users.main, peer])
    await is_ready(room)
    return replica, room, peer


async def test_its_own_user_answers_a_command(site: Site, tmp_path: Path) -> None:
    async with open_stage(site, tmp_path) as stage:
        _, room, peer = await begin(stage, tmp_path)

        answer = await room.answer_to(await room.ask("!peer add numbers 3 4"))
        wrong = await room.said_to("!peer add numbers three")

        assert answer["sender"] == peer
        assert "7" in answer["content"]["body"]
        assert "first" in wrong


async def test_what_changes_something_waits_for_people_whatever_it_says_of_itself(
    site: Site, tmp_path: Path
) -> None:
    async with open_stage(site, tmp_path) as stage:
        _, room, _ = await begin(stage, tmp_path)

        asked = await room.say("!peer write note hello")
        card = await event_with(room, "in truth it writes a note")
        assert not (tmp_path / "notes").exists()
        await room.person.react(room.room_id, EventID(card["event_id"]), "👍")
        await event_with(room, "written: hello")

        assert asked
        assert (tmp_path / "notes").read_text() == "hello\n"


async def test_it_asks_who_asked_and_goes_on_with_the_answer(site: Site, tmp_path: Path) -> None:
    async with open_stage(site, tmp_path) as stage:
        _, room, peer = await begin(stage, tmp_path)

        order = await room.say("!peer order tea")
        question = await event_with(room, "Which size of tea?")
        unfit = await room.answer_to(await room.say("!answer size=12"))
        taken = await room.answer_to(await room.say("!answer size=3 colour=green"))
        answer = await room.answer_to(order)
        late = await room.answer_to(await room.say("!answer 3"))

        assert question["sender"] == peer
        assert "size" in unfit["content"]["body"]
        assert "has your answer" in taken["content"]["body"]
        assert "3 x green tea" in answer["content"]["body"]
        assert "Nothing waits" in late["content"]["body"]


async def test_while_it_is_away_one_sentence_says_so(site: Site, tmp_path: Path) -> None:
    async with open_stage(site, tmp_path) as stage:
        replica, room, peer = await begin(stage, tmp_path)
        await replica.stop()
        more = settings_of(site, tmp_path)
        more["mcp_servers"]["peer"]["command"] = "no-such-program"
        again = await stage.replica(sqlite_in(tmp_path), more=more)
        await again.start()

        answer = await room.answer_to(await room.ask("!peer add numbers 3 4"))

        assert answer["sender"] == peer
        assert "cannot reach `peer` now" in answer["content"]["body"]
