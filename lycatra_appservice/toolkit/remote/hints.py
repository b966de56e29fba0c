"""What a server says of its tools, and how little of that is believed.

An annotation such as `readOnlyHint` is a claim of a stranger: it loosens nothing. Only what the
operator has written of a tool does.
"""

from dataclasses import dataclass

import mcp_types as types

from lycatra_appservice.model import Level
from lycatra_appservice.settings_mcp_servers import McpServer
from lycatra_appservice.toolkit.base import Effect
from lycatra_appservice.toolkit.remote.schema import plain_line


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """How far a tool is trusted, by the configuration alone."""

    effect: Effect
    level: Level


def trust_in(server: McpServer, tool: str) -> Trust:
    """Everything changes something, unless the operator wants no approval for it."""
    return Trust(
        effect=Effect.CHANGE if server.asks(tool) else Effect.READ,
        level=Level[server.level_of(tool).upper()],
    )


def warning_of(tool: types.Tool) -> str | None:
    """What makes people more careful; the opposite is not passed on."""
    if tool.annotations is not None and tool.annotations.destructive_hint:
        return "It says itself that this may destroy something."
    return None


def title_of(tool: types.Tool) -> str:
    """Its title, in few words."""
    given = tool.title or (tool.annotations.title if tool.annotations else None) or tool.name
    return plain_line(given, 60) or "?"
