"""One connection to a server: opened, watched, and opened again by the one task that owns it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeAlias

import mcp_types as types
from mcp.client.client import Client
from mcp.client.session import ClientRequestContext, IncomingMessage
from mcp.client.subscriptions import ListenNotSupportedError, SubscriptionLost
from mcp.shared.exceptions import MCPError
from pydantic import ValidationError

from lycatra_appservice.model import JSON, Caller
from lycatra_appservice.settings_mcp_servers import McpServer
from lycatra_appservice.toolkit.questions import Questions
from lycatra_appservice.toolkit.remote.asking import PATIENCE, Asking
from lycatra_appservice.toolkit.remote.failures import (
    RemoteError,
    away,
    lost,
    nonsense,
    too_slow,
)
from lycatra_appservice.toolkit.remote.running import RunningCall, RunningCalls
from lycatra_appservice.toolkit.remote.transport import open_transport

logger = logging.getLogger(__name__)

_MOST_PAGES: Final = 50
_MOST_LISTED: Final = 5000
_CONNECT_SECONDS: Final = 30.0
_LONGEST_PAUSE_SECONDS: Final = 60.0

OnTools: TypeAlias = Callable[[Sequence[types.Tool]], Awaitable[None]]
OnProgress: TypeAlias = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """In seconds: the first pause before it is tried again, and between two looks at the list."""

    first_pause: float = 1.0
    look: float = 60.0
    settle: float = 1.0  # many changes at once are one


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """How a server is; `why` is for the log and for operators."""

    is_connected: bool
    since: datetime
    why: str = ""


class Connection:
    """`run` owns it and never returns; everybody else may `call`."""

    def __init__(
        self,
        name: str,
        server: McpServer,
        questions: Questions,
        on_tools: OnTools,
        timing: Timing | None = None,
    ) -> None:
        self._name = name
        self._server = server
        self._asking = Asking(name, questions)
        self._on_tools = on_tools
        self._timing = timing or Timing()
        self._slots = asyncio.Semaphore(server.concurrency)
        self._running = RunningCalls()
        self._client: Client | None = None
        # Newer servers speak both ways, and only in the older one may any tool ask back.
        self._is_older = True
        self._look = asyncio.Event()
        self._gone = asyncio.Event()
        self.condition = Condition(is_connected=False, since=datetime.now(UTC), why="starting")

    async def run(self) -> None:
        """Connect, keep it, connect again; until cancelled."""
        pause = self._timing.first_pause
        while True:
            self._look, self._gone = asyncio.Event(), asyncio.Event()
            try:
                await self._stay_connected()
            except Exception as exc:  # noqa: BLE001 (whatever a stranger's server can cause)
                pause = self._timing.first_pause if self._has_been_well() else pause
                self._note(exc)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    async def look_once(self) -> None:
        """Connect, tell of the tools, and end it. Raises RemoteError."""
        try:
            async with AsyncExitStack() as stack, asyncio.timeout(_CONNECT_SECONDS):
                await self._tell(await self._greeted(stack))
        except Exception as exc:
            raise away(self._name, _reason(exc)) from exc

    async def call(
        self, tool: str, arguments: Mapping[str, JSON], caller: Caller, on_progress: OnProgress
    ) -> types.CallToolResult:
        """Call a tool by the server's own name for it. Raises RemoteError."""
        seconds = self._server.timeout.total_seconds()
        try:
            async with asyncio.timeout(seconds) as waiting, self._slots:
                waiting.reschedule(None)
                return await self._call(tool, arguments, caller, on_progress)
        except TimeoutError as exc:
            raise away(self._name, "too many calls at once") from exc

    async def _call(
        self, tool: str, arguments: Mapping[str, JSON], caller: Caller, on_progress: OnProgress
    ) -> types.CallToolResult:
        client, gone = self._client, self._gone
        if client is None:
            raise away(self._name, self.condition.why)
        seconds = self._server.timeout.total_seconds()

        async def progressed(progress: float, total: float | None, message: str | None) -> None:
            on_progress(message or _share(progress, total))

        try:
            async with asyncio.timeout(seconds) as deadline:
                call = RunningCall(tool, caller, seconds, deadline, PATIENCE)
                with self._running.entered(call):
                    return await client.call_tool(
                        tool, dict(arguments), progress_callback=progressed
                    )
        except TimeoutError as exc:
            raise too_slow(self._name) from exc
        except MCPError as exc:
            if exc.code == types.CONNECTION_CLOSED:
                # Of an address it was this one answer alone, perhaps: then the list still comes.
                (gone if self._server.command else self._look).set()
                raise lost(self._name, "the connection was closed") from exc
            self._look.set()  # it may be another one behind the same address
            raise nonsense(self._name, f"{exc.code}: {exc}") from exc
        except (ValidationError, RuntimeError, ValueError) as exc:
            raise nonsense(self._name, type(exc).__name__) from exc

    async def _stay_connected(self) -> None:
        async with AsyncExitStack() as stack:
            async with asyncio.timeout(_CONNECT_SECONDS):
                client = await self._greeted(stack)
                await self._tell(client)
            self._client, self._running = client, RunningCalls()
            self.condition = Condition(is_connected=True, since=datetime.now(UTC))
            logger.info("remote_connected", extra={"server": self._name})
            try:
                async with asyncio.TaskGroup() as group:
                    listening = group.create_task(self._listen(client))
                    await self._follow(client)
                    listening.cancel()
            finally:
                self._client = None

    async def _greeted(self, stack: AsyncExitStack) -> Client:
        try:
            client = await stack.enter_async_context(self._made())
        except MCPError:
            self._is_older = not self._is_older
            raise
        # A pattern in a stranger's output schema could keep the whole process busy for ever.
        client.session.validate_tool_result = _as_it_came  # type: ignore[method-assign]
        return client

    def _made(self) -> Client:
        return Client(
            open_transport(self._server, self._gone),
            elicitation_callback=self._elicited,
            message_handler=self._heard,
            client_info=types.Implementation(name="lycatra-appservice", version="1"),
            cache=None,
            mode="legacy" if self._is_older else "auto",
        )

    async def _follow(self, client: Client) -> None:
        """Until it is gone: list its tools whenever they may have changed."""
        while not self._gone.is_set():
            if await self._anything_happens():
                await asyncio.sleep(self._timing.settle)
                self._look.clear()
            if not self._gone.is_set():
                async with asyncio.timeout(_CONNECT_SECONDS):
                    await self._tell(client)
        raise away(self._name, "it has ended")

    async def _anything_happens(self) -> bool:
        looking = asyncio.create_task(self._look.wait())
        going = asyncio.create_task(self._gone.wait())
        try:
            done, _ = await asyncio.wait(
                (looking, going),
                timeout=self._timing.look,
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            looking.cancel()
            going.cancel()
        return bool(done)

    async def _listen(self, client: Client) -> None:
        """What newer servers tell of changes on a stream of its own."""
        with suppress(ListenNotSupportedError, MCPError, SubscriptionLost, TimeoutError):
            async with client.listen(tools_list_changed=True) as changes:
                async for _ in changes:
                    self._look.set()

    async def _heard(self, message: IncomingMessage) -> None:
        if isinstance(message, types.ToolListChangedNotification):
            self._look.set()

    async def _elicited(
        self, context: ClientRequestContext, params: types.ElicitRequestParams
    ) -> types.ElicitResult | types.ErrorData:
        return await self._asking.ask(self._running.asking(), params)

    async def _tell(self, client: Client) -> None:
        found: list[types.Tool] = []
        cursor: str | None = None
        for _ in range(_MOST_PAGES):
            page = await client.list_tools(cursor=cursor)
            found += page.tools
            cursor = page.next_cursor
            if cursor is None or len(found) >= _MOST_LISTED:
                break
        await self._on_tools(found[:_MOST_LISTED])

    def _has_been_well(self) -> bool:
        """For a while; one that greets and ends each time is not to be started each second."""
        lasted = datetime.now(UTC) - self.condition.since
        return self.condition.is_connected and lasted.total_seconds() >= _LONGEST_PAUSE_SECONDS

    def _note(self, exc: Exception) -> None:
        why = _reason(exc)
        if self.condition.is_connected or self.condition.why != why:
            logger.warning("remote_away", extra={"server": self._name, "reason": why})
            self.condition = Condition(is_connected=False, since=datetime.now(UTC), why=why)


def _share(progress: float, total: float | None) -> str:
    return f"{progress:g}/{total:g}" if total else f"{progress:g}"


def _reason(exc: BaseException) -> str:
    """The first cause in a group, in few words; never an answer's text, which may be anything."""
    while isinstance(exc, BaseExceptionGroup):
        exc = exc.exceptions[0]
    if isinstance(exc, RemoteError):
        return str(exc)
    if isinstance(exc, OSError) and exc.strerror:
        return exc.strerror
    if isinstance(exc, TimeoutError):
        return "no answer in time"
    return f"{type(exc).__name__}: {exc}"[:200]


async def _as_it_came(name: str, result: types.CallToolResult) -> None:
    """What a result has is read by us, whatever its schema promised."""
