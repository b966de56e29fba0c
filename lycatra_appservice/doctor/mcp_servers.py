"""Whether each MCP server of others can be reached, and what it has for us."""

from collections.abc import Mapping, Sequence
from typing import Final

import mcp_types as types

from lycatra_appservice.doctor.findings import Finding, ok, warning
from lycatra_appservice.settings_mcp_servers import McpServer
from lycatra_appservice.toolkit.questions import NobodyToAsk
from lycatra_appservice.toolkit.remote.connection import Connection
from lycatra_appservice.toolkit.remote.failures import RemoteError

_TRIES: Final = 2  # one for each of the two ways to begin


async def check_mcp_servers(servers: Mapping[str, McpServer]) -> Sequence[Finding]:
    """One finding for each; a program is started for it and ended again."""
    return [await _check(name, server) for name, server in sorted(servers.items())]


async def _check(name: str, server: McpServer) -> Finding:
    found: list[types.Tool] = []

    async def listed(tools: Sequence[types.Tool]) -> None:
        found.extend(tools)

    connection = Connection(name, server, NobodyToAsk(), listed)
    why = ""
    for _ in range(_TRIES):
        try:
            await connection.look_once()
        except RemoteError as error:
            why = str(error)
        else:
            taken = sum(server.takes(tool.name) for tool in found)
            return ok(f"mcp_servers.{name}", f"it has {len(found)} tools, {taken} of them for us")
    return warning(
        f"mcp_servers.{name}",
        why,
        why="its tools have no answer; everything else works without it",
        fix=f"mcp_servers.{name}.{'url' if server.url else 'command'}: what is there",
    )
