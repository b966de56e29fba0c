"""`lycatra demo`: Synapse, the service and a person, all started here and all ended here."""

import asyncio
import os
import shutil
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

import aiohttp

from lycatra_appservice.demo.asides import Asides
from lycatra_appservice.demo.child import Child
from lycatra_appservice.demo.client_api import ClientApiError
from lycatra_appservice.demo.configuration import write_files
from lycatra_appservice.demo.ground import (
    APPROVER,
    PASSWORD,
    PERSON,
    SERVER_NAME,
    Ground,
    prepare_ground,
    write_deploy_log,
)
from lycatra_appservice.demo.homeserver import Homeserver, HomeserverError, HomeserverSettings
from lycatra_appservice.demo.model_choice import chosen_model
from lycatra_appservice.demo.people import PersonClient, register_person
from lycatra_appservice.demo.release_server import ReleaseServer
from lycatra_appservice.demo.script import ScriptLine, read_script, run_script
from lycatra_appservice.demo.talk import (
    localpart_of,
    message_text,
    reply_mark,
    spoken,
    to_somebody,
)
from lycatra_appservice.demo.terminal import TerminalChat, open_screen
from lycatra_appservice.demo.web_service import WebService
from lycatra_appservice.errors import LycatraError
from lycatra_appservice.matrix.users import NamedNamespace, VirtualUsers
from lycatra_appservice.model import RoomID, UserID

_Namespaces: TypeAlias = Callable[[Path], Sequence[NamedNamespace]]

_ROOM_ALIAS: Final = "demo"
_READY_SECONDS: Final = 60
_POLL_SECONDS: Final = 0.05


def run(arguments: Namespace, namespaces: _Namespaces) -> int:
    """Play the demo; 0 when the person left, or when every line of the script had its outcome.

    `namespaces` reads a configuration and says which ones have work there.
    """
    lines = read_script(arguments.script) if arguments.script else None
    return asyncio.run(_play(arguments.folder, arguments.synapse_python, lines, namespaces))


async def _play(
    folder: Path,
    synapse_python: Path,
    lines: list[ScriptLine] | None,
    namespaces: _Namespaces,
) -> int:
    ground = prepare_ground(folder)
    async with AsyncExitStack() as stack:
        model = await stack.enter_async_context(chosen_model(os.environ))
        write_deploy_log(ground, datetime.now(UTC).date())
        write_files(ground, model)
        users = VirtualUsers(server_name=SERVER_NAME, namespaces=namespaces(ground.config))
        _say(f"Starting Synapse in {ground.folder} …")
        homeserver = await stack.enter_async_context(_homeserver(ground, synapse_python))
        await stack.enter_async_context(WebService(ground.folder, ground.web_port))
        releases = await stack.enter_async_context(_releases(ground))
        _say("Starting Lycatra …")
        await _start_service(ground, stack)
        person = await register_person(homeserver, PERSON, PASSWORD, admin=True, device_id="DEMO")
        client = await stack.enter_async_context(PersonClient(homeserver.url, person))
        approver = await register_person(homeserver, APPROVER, PASSWORD, device_id="DEMO")
        other = await stack.enter_async_context(PersonClient(homeserver.url, approver))
        room_id = await _room(client, other, users)
        _say(_welcome(homeserver, model.words))
        print(await _greeting(client, room_id, users.main), flush=True)
        asides = Asides(other, room_id, releases)
        addressed = partial(to_somebody, localpart=users.localpart_of(users.main))
        if lines is not None:
            return await run_script(
                client, room_id, lines, users.is_ours, addressed=addressed, asides=asides
            )
        with open_screen(PERSON, ground.folder / "history.txt") as screen:
            await TerminalChat(client, room_id, screen, addressed=addressed, asides=asides).run()
        return 0


def _homeserver(ground: Ground, python: Path) -> Homeserver:
    return Homeserver(
        HomeserverSettings(
            folder=ground.folder / "synapse",
            port=ground.homeserver_port,
            python=python,
            server_name=SERVER_NAME,
            registrations=[ground.registration],
        )
    )


def _releases(ground: Ground) -> ReleaseServer:
    hook = f"http://127.0.0.1:{ground.appservice_port}/hooks/github"
    return ReleaseServer(ground.folder, ground.releases_port, hook, ground.hook_secret)


async def _start_service(ground: Ground, stack: AsyncExitStack) -> None:
    """Run the service as everybody runs it: a process of its own, with its configuration."""
    log = ground.folder / "lycatra.log"
    with log.open("ab") as output:
        child = Child(
            Path(sys.executable),
            "lycatra_appservice",
            ("run", "-c", str(ground.config)),
            ground.folder,
            output,
        )
    stack.push_async_callback(child.stop)
    url = f"http://127.0.0.1:{ground.appservice_port}/readyz"
    try:
        async with asyncio.timeout(_READY_SECONDS), aiohttp.ClientSession() as http:
            while not await _is_ready(http, url):
                if not child.is_running:
                    raise _not_started(log)
                await asyncio.sleep(_POLL_SECONDS)
    except TimeoutError as error:
        raise _not_started(log) from error


def _not_started(log: Path) -> LycatraError:
    tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])
    return HomeserverError(f"Lycatra did not start. The end of {log}:\n{tail}")


async def _is_ready(http: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with http.get(url) as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


async def _room(client: PersonClient, approver: PersonClient, users: VirtualUsers) -> RoomID:
    """The demo's room: the person, an approver, @lycatra and its virtual users."""
    try:
        return await client.join(f"#{_ROOM_ALIAS}:{SERVER_NAME}")
    except ClientApiError as error:
        if error.status != 404:
            raise
    room_id = await client.create_room(
        "Lycatra demo",
        invite=[approver.user_id, users.main],
        extra={"room_alias_name": _ROOM_ALIAS},
    )
    await approver.join(room_id)
    for user in users.all:
        await client.wait_for_member(room_id, user)
    await _subscribe(client, room_id)
    return room_id


async def _subscribe(client: PersonClient, room_id: RoomID) -> None:
    """Have the room told of releases, as anybody does who may choose for it."""
    asked = await client.send_text(room_id, "!subscribe updates")
    async with asyncio.timeout(_READY_SECONDS):
        while True:
            marks = map(reply_mark, await client.all_messages(room_id))
            if asked in [mark.to for mark in marks if mark is not None]:
                return
            await asyncio.sleep(_POLL_SECONDS)


async def _greeting(client: PersonClient, room_id: RoomID, speaker: UserID) -> str:
    """The first message in the room, as it is shown; it may still be on its way."""
    async with asyncio.timeout(_READY_SECONDS):
        while True:
            for event in await client.all_messages(room_id):
                text = message_text(event)
                if text is not None and event["sender"] == speaker:
                    return spoken(localpart_of(event), text)
            await asyncio.sleep(_POLL_SECONDS)


def _welcome(homeserver: Homeserver, model: str) -> str:
    width = min(shutil.get_terminal_size().columns, 78)
    return "\n".join(
        [
            "─" * width,
            f"A real Synapse runs at {homeserver.url}. With any Matrix client:",
            f"  homeserver {homeserver.url}, user {PERSON}, password {PASSWORD}",
            f"Questions are answered by {model}.",
            "Try:  !help    !list updates    @lycatra_updates list updates",
            "      what changed this week?",
            "      !restart service web    then @approve, or @deny",
            "      @release v2    is announced; then @approve, and !list deployments",
            "A line without a name is sent to @lycatra. /quit ends the demo.",
            "─" * width,
        ]
    )


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
