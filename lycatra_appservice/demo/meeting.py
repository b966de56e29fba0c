"""Where the demo's person meets Lycatra: in a group, or in an encrypted direct chat."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Final

from lycatra_appservice.app.encryption import E2EE
from lycatra_appservice.demo.asides import Asides, Releasing
from lycatra_appservice.demo.client_api import ClientApiError
from lycatra_appservice.demo.ground import APPROVER, PASSWORD, PERSON, SERVER_NAME
from lycatra_appservice.demo.homeserver import Homeserver
from lycatra_appservice.demo.people import PersonClient, register_person
from lycatra_appservice.demo.talk import (
    localpart_of,
    message_text,
    reply_mark,
    spoken,
    to_somebody,
)
from lycatra_appservice.errors import LycatraError
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import JSON, RoomID, UserID
from lycatra_appservice.toolkit.extras import Extra

_ALIAS: Final = "demo"
_SECRET_ALIAS: Final = "demo_secret"  # noqa: S105 (the alias of a room)
_PATIENCE_SECONDS: Final = 60
_POLL_SECONDS: Final = 0.05
_SECRET_ROOM: Final[Mapping[str, JSON]] = {
    "room_alias_name": _SECRET_ALIAS,
    "initial_state": [
        {
            "type": "m.room.encryption",
            "state_key": "",
            "content": {"algorithm": "m.megolm.v1.aes-sha2"},
        }
    ],
}


class ExtraMissingError(LycatraError):
    """What encrypts is not installed."""

    said = "The encrypted demo needs more than is installed."


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """A room with Lycatra in it, and how one talks there."""

    client: PersonClient
    room_id: RoomID
    greeting: str  # the first that was said there, as it is shown
    asides: Asides
    addressed: Callable[[str], str]  # makes a line what is sent
    hints: Sequence[str]


def check_can_encrypt(extra: Extra = E2EE) -> None:
    """Raise ExtraMissingError, with the line to install, where a client could not encrypt."""
    if not extra.is_installed:
        raise ExtraMissingError(
            f"--encrypted needs the extra {extra.name!r}, which is not installed: "
            f"run {extra.install} (with Python 3.11 or 3.12), or leave --encrypted out"
        )


async def meet_in_group(
    homeserver: Homeserver, users: VirtualUsers, releasing: Releasing, stack: AsyncExitStack
) -> Meeting:
    """The person, an approver, @lycatra and its virtual users; the clients end with the stack."""
    person = await register_person(homeserver, PERSON, PASSWORD, admin=True, device_id="DEMO")
    client = await stack.enter_async_context(PersonClient(homeserver.url, person))
    approver = await register_person(homeserver, APPROVER, PASSWORD, device_id="DEMO")
    other = await stack.enter_async_context(PersonClient(homeserver.url, approver))
    room_id = await _known_room(client, _ALIAS)
    if room_id is None:
        room_id = await client.create_room(
            "Lycatra demo",
            invite=[other.user_id, users.main],
            extra={"room_alias_name": _ALIAS},
        )
        await other.join(room_id)
        for user in users.all:
            await client.wait_for_member(room_id, user)
        await _subscribe(client, room_id)
    return Meeting(
        client=client,
        room_id=room_id,
        greeting=await _greeting(client, room_id, users.main),
        asides=Asides(other, room_id, releasing),
        addressed=partial(to_somebody, localpart=users.localpart_of(users.main)),
        hints=[
            "Try:  !help    !list updates    @lycatra_updates list updates",
            "      what changed this week?",
            "      !restart service web    then @approve, or @deny",
            "      @release v2    is announced; then @approve, and !list deployments",
            "A line without a name is sent to @lycatra. /quit ends the demo.",
        ],
    )


async def meet_in_secret(
    homeserver: Homeserver, users: VirtualUsers, releasing: Releasing, stack: AsyncExitStack
) -> Meeting:
    """The person and @lycatra alone, encrypted; the person votes, and its device is a new one."""
    from lycatra_appservice.demo.secret_person import SecretPersonClient  # an extra: e2ee

    person = await register_person(homeserver, PERSON, PASSWORD, admin=True)
    client = await stack.enter_async_context(SecretPersonClient(homeserver.url, person))
    room_id = await _known_room(client, _SECRET_ALIAS)
    is_new = room_id is None
    if room_id is None:
        room_id = await client.create_room(
            invite=[users.main], preset="trusted_private_chat", is_direct=True, extra=_SECRET_ROOM
        )
        await client.wait_for_member(room_id, users.main)
    greeting = await _greeting(client, room_id, users.main)
    if is_new:
        await _subscribe(client, room_id)  # after the greeting: whoever encrypts can read
    return Meeting(
        client=client,
        room_id=room_id,
        greeting=greeting,
        asides=Asides(client, room_id, releasing),
        addressed=str,
        hints=[
            "Try:  !help    !list updates    what changed this week?",
            "      !restart service web    then @approve, or @deny",
            "      @release v2    is announced; then @approve, and !list deployments",
            "This is a direct chat with @lycatra. All that is said is encrypted; this client's",
            "keys are new at each start and read nothing older. /quit ends the demo.",
        ],
    )


async def _known_room(client: PersonClient, alias: str) -> RoomID | None:
    """The room of an earlier start."""
    try:
        return await client.join(f"#{alias}:{SERVER_NAME}")
    except ClientApiError as error:
        if error.status != 404:
            raise
        return None


async def _subscribe(client: PersonClient, room_id: RoomID) -> None:
    """Have the room told of releases, as anybody does who may choose for it."""
    asked = await client.send_text(room_id, "!subscribe updates")
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while True:
            marks = map(reply_mark, await client.all_messages(room_id))
            if asked in [mark.to for mark in marks if mark is not None]:
                return
            await asyncio.sleep(_POLL_SECONDS)


async def _greeting(client: PersonClient, room_id: RoomID, speaker: UserID) -> str:
    """The first message in the room, as it is shown; it may still be on its way."""
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while True:
            for event in await client.all_messages(room_id):
                text = message_text(event)
                if text is not None and event["sender"] == speaker:
                    return spoken(localpart_of(event), text)
            await asyncio.sleep(_POLL_SECONDS)
