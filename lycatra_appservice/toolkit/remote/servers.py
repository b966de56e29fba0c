"""All configured servers: their namespaces from the start, their tools as they come and go."""

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from typing import Protocol

import mcp_types as types
from pydantic import ValidationError

from lycatra_appservice.errors import StoreUnavailableError
from lycatra_appservice.model import JSON, Caller
from lycatra_appservice.settings_mcp_servers import McpServer
from lycatra_appservice.toolkit.questions import Questions
from lycatra_appservice.toolkit.registry import Registry
from lycatra_appservice.toolkit.remote.connection import (
    Condition,
    Connection,
    OnProgress,
    Timing,
)
from lycatra_appservice.toolkit.remote.namespaces import shown_name
from lycatra_appservice.toolkit.remote.status import status_tool
from lycatra_appservice.toolkit.remote.tools import tools_from

logger = logging.getLogger(__name__)


class KnownLists(Protocol):
    """What each server has listed last, kept over restarts and for other replicas."""

    async def read(self, server: str) -> str | None:
        """As it was written."""

    async def write(self, server: str, tools: str) -> None:
        """In the place of what was there."""


class RemoteServer:
    """One server, and what of it is in the registry."""

    def __init__(
        self,
        name: str,
        server: McpServer,
        registry: Registry,
        known: KnownLists,
        questions: Questions,
        timing: Timing | None = None,
    ) -> None:
        self._name = name
        self._server = server
        self._registry = registry
        self._known = known
        self._connection = Connection(name, server, questions, self._listed, timing)
        self._shown = ""
        self.offered = 0

    @property
    def condition(self) -> Condition:
        """How it is now."""
        return self._connection.condition

    async def run(self) -> None:
        """Show what was known last, then keep up with the server; until cancelled."""
        try:
            await self.recall()
        except StoreUnavailableError:
            logger.warning("remote_list_unknown", extra={"server": self._name})
        except Exception:  # a stranger's list, and whatever it causes ends no other service
            logger.exception("remote_list_unusable", extra={"server": self._name})
        await self._connection.run()

    async def recall(self) -> None:
        """Offer what the server had when it was last seen."""
        kept = await self._known.read(self._name)
        try:
            tools = types.ListToolsResult.model_validate_json(kept).tools if kept else []
        except ValidationError:
            tools = []
        self._offer(tools)

    async def call(
        self, tool: str, arguments: Mapping[str, JSON], caller: Caller, on_progress: OnProgress
    ) -> types.CallToolResult:
        """Raises RemoteError."""
        return await self._connection.call(tool, arguments, caller, on_progress)

    async def _listed(self, tools: Sequence[types.Tool]) -> None:
        taken = [each for each in tools if self._server.takes(each.name)]
        shown = json.dumps(
            {"tools": [each.model_dump(mode="json", by_alias=True) for each in taken]},
            sort_keys=True,
        )
        if shown == self._shown:
            return
        self._offer(taken)
        try:
            await self._known.write(self._name, shown)
        except StoreUnavailableError:
            return  # kept after the next look
        self._shown = shown

    def _offer(self, listed: Sequence[types.Tool]) -> None:
        others = [
            tool.name
            for home in self._registry.namespaces
            for tool in self._registry.tools_of(home.name)
            if home.name != self._name
        ]
        names = [*others, *(prompt.name for prompt in self._registry.prompts)]
        tools = tools_from(self._name, self._server, listed, names, self)
        title = shown_name(self._name, self._server)
        self.offered = len(tools)
        self._registry.exchange(self._name, [*tools, status_tool(self._name, title, self)])
        logger.info("remote_tools", extra={"server": self._name, "tools": len(tools)})


class RemoteServers:
    """All of them; each has a task of its own, so that none waits for another."""

    def __init__(self, servers: Sequence[RemoteServer]) -> None:
        self._servers = servers

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            for server in self._servers:
                group.create_task(server.run())
