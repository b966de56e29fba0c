"""Words that no tool and no namespace may be called: people steer the assistant with them."""

from typing import Final

# Those of later versions too, so that nobody's tools have to be called otherwise then.
RESERVED: Final = frozenset(
    {
        "answer",
        "approve",
        "audit",
        "deny",
        "e2ee",
        "forget",
        "help",
        "mcp",
        "reset",
        "settings",
        "sources",
        "status",
        "stop",
        "subscribe",
        "unsubscribe",
        "usage",
        "whoami",
    }
)
