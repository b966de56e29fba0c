"""Somebody verifies us by emoji in an encrypted room of a real Synapse."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from lycatra_appservice.matrix.crypto.emoji import EMOJI
from lycatra_appservice.matrix.crypto.verification import OwnKeys
from lycatra_appservice.model import JSON, UserID
from tests.support.encrypted_site import (
    PUSHES_KEYS,
    Phones,
    encryption,
    is_secret,
    told,
    until_devices_ready,
)
from tests.support.sas_peer import SasPeer
from tests.support.secret_person import SecretRoom
from tests.support.site import Site, running_site
from tests.support.stage import Stage, open_stage, sqlite_in
from tests.support.tables import Tables
from tests.support.waiting import until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def secret_site() -> Iterator[Site]:
    with running_site(overrides=PUSHES_KEYS) as running:
        yield running


@pytest.fixture
async def secret_stage(secret_site: Site, tmp_path: Path) -> AsyncIterator[Stage]:
    async with open_stage(secret_site, tmp_path) as stage:
        url = sqlite_in(tmp_path)
        replica = await stage.replica(url, more=encryption())
        await replica.start()
        await until_devices_ready(stage, Tables(url))
        yield stage


async def step_of(room: SecretRoom, name: str) -> JSON:
    """Wait for the content of a step of ours."""
    found: list[JSON] = []

    async def came() -> bool:
        found[:] = [
            event["content"]
            for event in await room.events()
            if event["type"] == f"m.key.verification.{name}" and event["sender"] != room.me.user_id
        ]
        return bool(found)

    await until(came, f"the step {name}")
    return found[0]


async def test_a_person_sees_the_emoji_that_we_see_and_our_keys_are_vouched_for(
    secret_stage: Stage, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        me = await Phones(secret_stage, tmp_path, stack).new()
        main = secret_stage.users.main
        room = await me.make_room(main)
        await room.said_to("!help")
        peer = SasPeer(
            ours=main,
            user_id=me.user_id,
            device_id="PHONE",
            room_id=room.room_id,
            device_key=me.client.olm.account.identity_keys["ed25519"],
        )

        peer.transaction_id = await room.send("m.room.message", peer.request().content)
        ready = await step_of(room, "ready")
        await room.send("m.key.verification.start", peer.start().content)
        peer.accepted = await step_of(room, "accept")
        await room.send("m.key.verification.key", peer.key().content)
        peer.take_key((await step_of(room, "key"))["key"], ready["from_device"])
        assert peer.is_bound()

        seen = [EMOJI[number] for number in peer.emoji_numbers()]
        shown = " · ".join(f"{sign} {name}" for sign, name in seen)
        await until(lambda: told(room, shown), "the emoji in the room")

        await room.send("m.key.verification.mac", peer.mac().content)
        macs = await step_of(room, "mac")
        assert await step_of(room, "done")
        assert peer.believes(macs, await published(room, main, ready["from_device"]))
        assert is_secret(secret_stage, room)


async def published(room: SecretRoom, user: str, device_id: str) -> OwnKeys:
    """What the homeserver says of our keys."""
    body: JSON = {"device_keys": {user: []}}
    answer = await room.me.person.call("POST", "/keys/query", body)
    device = answer["device_keys"][user][device_id]
    [master] = answer["master_keys"][user]["keys"].values()
    return OwnKeys(
        user_id=UserID(user),
        device_id=device_id,
        device_key=device["keys"][f"ed25519:{device_id}"],
        master_key=master,
    )
