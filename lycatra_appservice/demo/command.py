"""`lycatra demo`: Synapse, the service and a person, all started here and all ended here."""

import asyncio
import os
import shutil
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeAlias

import aiohttp

from lycatra_appservice.demo.child import Child
from lycatra_appservice.demo.configuration import write_files
from lycatra_appservice.demo.ground import (
    PASSWORD,
    PERSON,
    SERVER_NAME,
    Ground,
    prepare_ground,
    write_deploy_log,
)
from lycatra_appservice.demo.homeserver import Homeserver, HomeserverError, HomeserverSettings
from lycatra_appservice.demo.meeting import (
    Meeting,
    check_can_encrypt,
    meet_in_group,
    meet_in_secret,
)
from lycatra_appservice.demo.model_choice import chosen_model
from lycatra_appservice.demo.release_server import ReleaseServer
from lycatra_appservice.demo.script import ScriptLine, read_script, run_script
from lycatra_appservice.demo.terminal import TerminalChat, open_screen
from lycatra_appservice.demo.web_service import WebService
from lycatra_appservice.errors import LycatraError
from lycatra_appservice.matrix.users import NamedNamespace, VirtualUsers

_Namespaces: TypeAlias = Callable[[Path], Sequence[NamedNamespace]]

_READY_SECONDS: Final = 60
_POLL_SECONDS: Final = 0.05


def run(arguments: Namespace, namespaces: _Namespaces) -> int:
    """Play the demo; 0 when the person left, or when every line of the script had its outcome.

    `namespaces` reads a configuration and says which ones have work there.
    """
    lines = read_script(arguments.script) if arguments.script else None
    if arguments.encrypted:
        check_can_encrypt()
    ground = prepare_ground(arguments.folder, encrypted=arguments.encrypted)
    return asyncio.run(_play(ground, arguments.synapse_python, lines, namespaces))


async def _play(
    ground: Ground,
    synapse_python: Path,
    lines: list[ScriptLine] | None,
    namespaces: _Namespaces,
) -> int:
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
        # Synapse ends before the service: if it finds that one gone, the next start begins with
        # what it could not push, and what is said meanwhile comes without its keys (1.163).
        stack.push_async_callback(homeserver.stop)
        meet = meet_in_secret if ground.encrypted else meet_in_group
        meeting = await meet(homeserver, users, releases, stack)
        _say(_welcome(homeserver, model.words, meeting.hints))
        print(meeting.greeting, flush=True)
        return await _talk(meeting, lines, users, ground.folder)


async def _talk(
    meeting: Meeting, lines: list[ScriptLine] | None, users: VirtualUsers, folder: Path
) -> int:
    client, room_id = meeting.client, meeting.room_id
    addressed, asides = meeting.addressed, meeting.asides
    if lines is not None:
        return await run_script(
            client, room_id, lines, users.is_ours, addressed=addressed, asides=asides
        )
    with open_screen(PERSON, folder / "history.txt") as screen:
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
            experimental_features=ground.encrypted,
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


def _welcome(homeserver: Homeserver, model: str, hints: Sequence[str]) -> str:
    width = min(shutil.get_terminal_size().columns, 78)
    return "\n".join(
        [
            "─" * width,
            f"A real Synapse runs at {homeserver.url}. With any Matrix client:",
            f"  homeserver {homeserver.url}, user {PERSON}, password {PASSWORD}",
            f"Questions are answered by {model}.",
            *hints,
            "─" * width,
        ]
    )


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
