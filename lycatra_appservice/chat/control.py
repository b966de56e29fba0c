"""The few words that steer the conversation itself; no tool or namespace may be named so."""

from enum import StrEnum
from typing import Final


class ControlWord(StrEnum):
    """What can be asked of the assistant about itself; `!word`."""

    HELP = "help"
    STOP = "stop"
    RESET = "reset"
    SETTINGS = "settings"
    WHOAMI = "whoami"


# All that are kept free, those of later versions too.
RESERVED: Final = frozenset(
    {
        *ControlWord,
        "approve",
        "audit",
        "deny",
        "forget",
        "mcp",
        "sources",
        "status",
        "subscribe",
        "unsubscribe",
        "usage",
    }
)
