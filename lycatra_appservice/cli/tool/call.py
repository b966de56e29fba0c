"""`lycatra tool call`: runs one tool through the gate, with the rights of a person."""

import asyncio
import json
import secrets
import shlex
import sys
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Final

from lycatra_appservice import __version__
from lycatra_appservice.cli.command import (
    CommandError,
    Installation,
    read_installation,
)
from lycatra_appservice.cli.tool.show import tool_called
from lycatra_appservice.errors import ToolError
from lycatra_appservice.model import JSON, Caller, Face, UserID
from lycatra_appservice.settings import Settings
from lycatra_appservice.toolkit.base import Component, ToolResult
from lycatra_appservice.toolkit.registry import AnyTool
from lycatra_appservice.toolkit.timers import ShortTimers, Timer
from lycatra_appservice.words.catalogue import in_english
from lycatra_appservice.words.text import Text

_HERE: Final = Component(
    name="lycatra", ok=True, detail=f"version {__version__}, asked from the command line"
)


def run(arguments: Namespace) -> int:
    """Do it; returns the exit code. Raises LycatraError."""
    installation = read_installation(arguments, needs_tokens=False)
    tool = tool_called(arguments.name, installation.tools)
    person = _person(arguments.person, installation.settings)
    raw = _arguments(arguments.words, tool)
    result = asyncio.run(_call(installation, tool, raw, person))
    for line in [_as_json(result)] if arguments.json else _as_text(result):
        print(line)
    return 0


async def _call(
    installation: Installation, tool: AnyTool, raw: Mapping[str, JSON], person: UserID
) -> ToolResult:
    # Here, so that the other commands start without the drivers of databases.
    from lycatra_appservice.app.parts import secrets_of, utc_now
    from lycatra_appservice.cli.tool.noted import noted
    from lycatra_appservice.ops.logs import LogFormat, configure_logging
    from lycatra_appservice.ops.masking import Masker
    from lycatra_appservice.ops.metrics import Metrics
    from lycatra_appservice.toolkit.access import Access
    from lycatra_appservice.toolkit.context import Contexts
    from lycatra_appservice.toolkit.databases import Databases
    from lycatra_appservice.toolkit.memory import ShortMemory
    from lycatra_appservice.toolkit.permissions import Permissions
    from lycatra_appservice.toolkit.progress import told_to
    from lycatra_appservice.toolkit.rights import Rights
    from lycatra_appservice.toolkit.toolbox import Gate

    settings, registry = installation.settings, installation.tools.registry
    configure_logging(
        level="WARNING",
        log_format=LogFormat.TEXT,
        replica="",
        secrets=secrets_of(settings),
        stream=sys.stderr,
    )
    databases = Databases(settings.databases)
    contexts = Contexts(
        zone=settings.zone,
        allowed_targets=settings.tools_http.allow,
        base_folder=settings.base_folder,
        settings=settings.tool_settings,
        components=_components,
        clock=utc_now,
        memory=ShortMemory(),  # trying a tool out changes nothing that the service remembers
        databases=databases,
        timers=ShortTimers(_tell),  # there is no room in which it could be said
    )
    rights = Rights(Access(settings.access, Permissions(settings.permissions, registry)))
    masker = Masker(secrets_of(settings))
    async with AsyncExitStack() as stack:
        stack.push_async_callback(databases.close)
        audit = await stack.enter_async_context(noted(settings.database))
        gate = Gate(
            registry,
            rights,
            contexts,
            Metrics([tool.name]),
            audit,
            mask=masker.mask,
            conceal=masker.conceal,
        )
        toolbox = await gate.open(
            Caller(
                user_id=person,
                face=Face.COMMAND,
                # Whoever has the shell may borrow anybody's name: the audit tells it from a room.
                on_behalf_of_turn=f"shell:{secrets.token_hex(8)}",
            ),
            progress=told_to(lambda said: print(f"… {in_english(said)}", file=sys.stderr)),
        )
        try:
            return await toolbox.call(tool.name, raw)
        except ToolError as error:
            # Who reads this has the log, with the traceback, in front of them.
            if isinstance(error.said, Text) and error.said.key == "tool_crashed":
                raise CommandError("the tool failed by a mistake in it: see above") from error
            raise


def _tell(timer: Timer) -> None:
    print(
        f"… would say at {timer.when:%Y-%m-%d %H:%M %Z}: {in_english(timer.text)}", file=sys.stderr
    )


async def _components() -> Sequence[Component]:
    return [_HERE]


def _person(named: str | None, settings: Settings) -> UserID:
    """Whose rights the call has. Raises CommandError."""
    admins = [entry for entry in settings.access.admin if entry.startswith("@")]
    person = named or next(iter(admins), None)
    if person is None:
        raise CommandError(
            f"whose rights should it have? Say --as @you:{settings.homeserver.server_name}"
        )
    localpart, colon, server = person.partition(":")
    if not (localpart.startswith("@") and len(localpart) > 1 and colon and server):
        raise CommandError(f"{person!r} is no Matrix ID such as @alice:example.org")
    return UserID(person)


def _arguments(words: Sequence[str], tool: AnyTool) -> Mapping[str, JSON]:
    """What the words mean, read as behind a command in a room. Raises CommandError."""
    from lycatra_appservice.chat.arguments import UnclearError, read_arguments

    try:
        return read_arguments(" ".join(map(_as_in_a_room, words)), tool.schema())
    except UnclearError as unclear:
        example = shlex.join(["lycatra", "tool", "call", tool.name])
        raise CommandError(
            f"{in_english(unclear.said)} An example: {example}"
            f"{tool.example.removeprefix(tool.name.replace('_', ' '))}"
        ) from unclear


def _as_in_a_room(word: str) -> str:
    """A word with the quotation marks that the shell has taken."""
    if word.startswith("{") or not any(sign.isspace() for sign in word):
        return word
    key, equals, value = word.partition("=")
    if not (equals and key.isidentifier()):
        key, value = "", word
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'{key}{"=" if key else ""}"{escaped}"'


def _as_text(result: ToolResult) -> Iterator[str]:
    yield result.markdown
    if result.note:
        yield f"\n{in_english(result.note)}"
    for file in result.files:
        yield f"[a file: {file.name}, {len(file.data)} bytes: {file.description}]"


def _as_json(result: ToolResult) -> str:
    return json.dumps(result.data, indent=2, ensure_ascii=False)
