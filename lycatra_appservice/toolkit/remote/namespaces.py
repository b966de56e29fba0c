"""The namespaces that configured servers get, from the configuration alone."""

from collections.abc import Mapping, Sequence

from lycatra_appservice.settings_mcp_servers import McpServer
from lycatra_appservice.toolkit.base import Namespace


def namespaces_of(servers: Mapping[str, McpServer]) -> Sequence[Namespace]:
    """One for each, whether or not it can be reached."""
    return [
        Namespace(
            name=name,
            display_name=shown_name(name, server),
            summary=f"The tools of the MCP server {name}.",
            is_remote=True,
        )
        for name, server in servers.items()
    ]


def shown_name(name: str, server: McpServer) -> str:
    """What its user is called."""
    return server.display_name or f"Lycatra {name.replace('_', ' ').title()}"
