"""`encryption.mode: default`: the rooms that Lycatra makes itself are encrypted, too."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from lycatra_appservice.model import RoomID
from tests.support.encrypted_site import PUSHES_KEYS, Phones, encryption, is_secret, told
from tests.support.live import open_live
from tests.support.secret_person import SecretPerson
from tests.support.site import running_site
from tests.support.waiting import until

pytestmark = pytest.mark.slow


async def test_a_direct_chat_that_we_begin_is_encrypted_from_its_first_line(
    tmp_path: Path,
) -> None:
    with running_site(overrides=PUSHES_KEYS) as site:
        async with (
            open_live(site, tmp_path, more=encryption(mode="default")) as live,
            AsyncExitStack() as stack,
        ):
            me = await Phones(live.stage, tmp_path, stack).new()

            # Who invites us into a space is told in a direct chat why we do not stay.
            space = {"creation_content": {"type": "m.space"}, "invite": [str(live.users.main)]}
            await me.person.call("POST", "/createRoom", space)
            chat = await me.room(await invited_to(me, str(live.users.main)))

            await until(lambda: told(chat, "space"), "the reason")
            assert me.user_id in await chat.said_to("!whoami")
            assert is_secret(live.stage, chat)


async def invited_to(me: SecretPerson, inviter: str) -> RoomID:
    """The room into which somebody has invited this person."""
    found: list[RoomID] = []

    async def is_there() -> bool:
        await me.catch_up()
        found.extend(
            RoomID(room_id)
            for room_id, room in me.client.invited_rooms.items()
            if room.inviter == inviter
        )
        return bool(found)

    await until(is_there, f"an invitation by {inviter}")
    return found[0]
