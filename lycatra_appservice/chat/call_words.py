"""A call as people would type it, and times as they read them. Pure."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from lycatra_appservice.model import JSON

_LONGEST: Final = 100  # characters


def call_in_words(tool: str, arguments: Mapping[str, JSON]) -> str:
    """`list_updates limit=3`: one line, not long, fit to stand between marks of code."""
    words = [tool, *(f"{name}={_value(value)}" for name, value in arguments.items())]
    line = " ".join(" ".join(words).replace("`", "'").split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


def minute(when: datetime, zone: ZoneInfo) -> str:
    """`2026-11-22 09:45` in the zone."""
    return when.astimezone(zone).strftime("%Y-%m-%d %H:%M")


def second(when: datetime, zone: ZoneInfo) -> str:
    """`09:45:12` in the zone."""
    return when.astimezone(zone).strftime("%H:%M:%S")


def _value(value: JSON) -> str:
    if isinstance(value, str) and value and not any(c.isspace() or c in "\"'" for c in value):
        return value
    return json.dumps(value, ensure_ascii=False)
