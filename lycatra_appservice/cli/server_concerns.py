"""What looks like a mistake in how other MCP servers are configured."""

import shutil
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from lycatra_appservice.settings_mcp_servers import McpServer


def concerns_about_servers(servers: Mapping[str, McpServer]) -> Iterator[tuple[str, str]]:
    """What it is, and the line that would end it."""
    for name, server in sorted(servers.items()):
        key = f"mcp_servers.{name}"
        if server.approval == "none":
            yield (
                f"{key}.approval is none: whatever its tools change is done without asking",
                f"{key}.approval: a section of the tools that only read",
            )
        if server.headers and _is_open(server.url or ""):
            yield (
                f"{key}.url is not https: everybody on the way reads its headers",
                f"{key}.url: an address beginning with https://",
            )
        if server.command and shutil.which(server.command) is None:
            yield (
                f"{key}.command: there is no program {server.command}",
                f"{key}.command: the program with its whole path",
            )


def _is_open(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1")
