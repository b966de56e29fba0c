"""A server that is a program of ours to start: a message a line, none longer than it may be.

The SDK's own way has no bound for a line, so that a program that never ends one would fill all
memory. What a program says on stderr goes nowhere: it may hold secrets, and it would fill our log.
"""

import asyncio
import logging
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import anyio
from mcp.client.stdio import get_default_environment
from mcp.shared.message import SessionMessage
from mcp_types.jsonrpc import jsonrpc_message_adapter

from lycatra_appservice.settings_mcp_servers import McpServer

logger = logging.getLogger(__name__)

MAX_LINE_BYTES: Final = 16 * 1024 * 1024
_GRACE_SECONDS: Final = 2.0  # to end by itself once nobody speaks to it any more


@asynccontextmanager
async def open_program(server: McpServer, gone: asyncio.Event) -> AsyncIterator[tuple[Any, Any]]:
    """Start it; `gone` is set when it has ended or says what nobody could read.

    Gives the streams of the SDK. Raises OSError when it cannot be started.
    """
    process = await _started(server)
    read_send, read = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    write, write_receive = anyio.create_memory_object_stream[SessionMessage](0)

    async def listen() -> None:
        try:
            async with read_send:
                await _pass_lines(process, read_send)
        finally:
            gone.set()

    async def speak() -> None:
        with suppress(OSError):
            async with write_receive:
                async for message in write_receive:
                    await _say(process, message)

    try:
        with read_send, read, write, write_receive:
            async with anyio.create_task_group() as group:
                group.start_soon(listen)
                group.start_soon(speak)
                try:
                    yield read, write
                finally:
                    group.cancel_scope.cancel()
    finally:
        with anyio.CancelScope(shield=True):
            await _end(process)


async def _started(server: McpServer) -> Process:
    env = {name: value.get_secret_value() for name, value in server.env.items()}
    return await asyncio.create_subprocess_exec(
        server.command or "",
        *server.args,
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
        env={**get_default_environment(), **env},
        cwd=server.folder,
        limit=MAX_LINE_BYTES,
        start_new_session=True,  # so that what it starts itself ends with it
    )


async def _pass_lines(process: Process, to: Any) -> None:
    while process.stdout is not None:
        try:
            line = await process.stdout.readline()
        except ValueError:
            logger.warning("remote_line_too_long", extra={"limit_bytes": MAX_LINE_BYTES})
            return
        if not line:
            return
        try:
            message = jsonrpc_message_adapter.validate_json(line, by_name=False)
        except ValueError:
            continue  # a program that greets people on stdout
        try:
            await to.send(SessionMessage(message))
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            return


async def _say(process: Process, message: SessionMessage) -> None:
    if process.stdin is not None:
        text = message.message.model_dump_json(by_alias=True, exclude_unset=True)
        process.stdin.write(f"{text}\n".encode())
        await process.stdin.drain()


async def _end(process: Process) -> None:
    """Close its ear, give it a moment, then end it with all that it has started.

    What it still says is read and thrown away: a full pipe would keep it from ending.
    """
    if process.stdin is not None:
        process.stdin.close()
    emptying = asyncio.create_task(_empty(process))
    try:
        has_ended = await _has_ended(process)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        if not has_ended:
            await _has_ended(process)
    finally:
        emptying.cancel()


async def _has_ended(process: Process) -> bool:
    """Whether it does within its moment."""
    try:
        async with asyncio.timeout(_GRACE_SECONDS):
            await process.wait()
    except TimeoutError:
        return False
    return True


async def _empty(process: Process) -> None:
    while process.stdout is not None and await process.stdout.read(65536):
        pass
