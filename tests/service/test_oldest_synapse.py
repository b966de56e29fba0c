"""The oldest Synapse that is supported: set up, talked to, examined; and why it is the oldest."""

import json
import os
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from lycatra_appservice.demo.people import PersonClient, register_person
from lycatra_appservice.doctor.synapse_version import OLDEST
from lycatra_appservice.model import RoomID, UserID
from lycatra_appservice.registration import read_registration
from tests.support.newcomer import Newcomer, newcomer
from tests.support.stage import Room

pytestmark = pytest.mark.slow

VARIABLE = "LYCATRA_OLDEST_SYNAPSE_PYTHON"
LYCATRA = UserID("@lycatra:hs.test")


def oldest_python() -> Path:
    named = os.environ.get(VARIABLE)
    if not named:
        version = ".".join(map(str, OLDEST))
        # That Synapse does not start with newer Prometheus clients.
        wanted = f"matrix-synapse=={version}.0 'prometheus-client<0.24' psycopg2-binary"
        pytest.skip(f"set {VARIABLE} to a Python with {wanted}")
    return Path(named)


@pytest.fixture
async def beside(tmp_path: Path) -> AsyncIterator[Newcomer]:
    """The oldest homeserver without Lycatra, and an empty folder."""
    async with newcomer(tmp_path, python=oldest_python()) as who:
        yield who


async def resent(beside: Newcomer, room_id: RoomID, txn_id: str) -> str:
    """Send as @lycatra and its device; the event that the homeserver says it is."""
    token = read_registration(beside.registration)["as_token"]
    path = f"/_matrix/client/v3/rooms/{room_id}/send/m.room.message/{txn_id}"
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as http,
        http.put(
            beside.homeserver.url + path,
            params={"user_id": LYCATRA, "device_id": "LYC"},
            json={"msgtype": "m.notice", "body": "once"},
        ) as answer,
    ):
        return str((await answer.json())["event_id"])


async def test_the_oldest_synapse_carries_everything(beside: Newcomer) -> None:
    made = await register_person(beside.homeserver, "alice", "password")
    async with beside.types_init("--greet") as init:
        await init.until_said("waiting for Synapse to be restarted")
        await beside.restart_synapse(beside.registration)
        assert await init.ended() == 0, init.said

    async with PersonClient(beside.homeserver.url, made) as alice, beside.types("run") as service:
        await service.until_said('"event": "ready"')
        room_id = await alice.create_room("ops", invite=[LYCATRA])
        await alice.wait_for_member(room_id, LYCATRA)
        room = Room(room_id, alice)
        assert "!list updates" in await room.said_to("!help")

        code, said = await beside.run("doctor", "--json")
        findings = {each["check"]: each for each in json.loads(said)["findings"]}
        assert code == 0, said
        assert findings["homeserver.version"]["what"] == f"Synapse {OLDEST[0]}.{OLDEST[1]}"

        txn_id = f"lyc-{secrets.token_hex(4)}"
        first = await resent(beside, room_id, txn_id)
        await beside.restart_synapse(beside.registration)
        assert await resent(beside, room_id, txn_id) == first
        assert "!list updates" in await room.said_to("!help")

    code, said = await beside.run("uninstall", "--dry-run")
    assert code == 0, said
