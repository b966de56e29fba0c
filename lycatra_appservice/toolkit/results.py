"""Keeps what a tool found small enough for a prompt, a message and a row, and says what went."""

import json
from collections.abc import Iterator
from dataclasses import replace

from lycatra_appservice.model import JSON
from lycatra_appservice.toolkit.base import ToolResult

MAX_DATA_BYTES = 16 * 1024  # a handful of these must fit into a small model's window
MAX_MARKDOWN_BYTES = 32 * 1024  # with its HTML beside it still below an event's 64 KiB, in parts
_KEPT_CHARACTERS = 500  # of one text, when nothing but a long text is left to cut


def bounded(result: ToolResult) -> ToolResult:
    """The result with lists cut from their end until `data` fits, and the cut told in `note`.

    Raises TypeError or ValueError when `data` is not JSON, which is a mistake of the tool.
    """
    data, left_out = _bounded_data(result.data)
    markdown = _bounded_markdown(result.markdown)
    notes = [result.note] if result.note else []
    if left_out:
        notes.append(f"truncated, {left_out} more")
    elif markdown != result.markdown:
        notes.append("truncated, the full text is longer")
    return replace(result, data=data, markdown=markdown, note="; ".join(notes) or None)


def _bounded_data(data: JSON) -> tuple[JSON, str]:
    """The data that fits, and how much was left out in words; empty when it fitted at once."""
    encoded = _encoded(data)
    if len(encoded) <= MAX_DATA_BYTES:
        return data, ""
    kept = json.loads(encoded)  # a copy of our own, the tool may still hold the original
    excess = len(encoded) - MAX_DATA_BYTES
    dropped = 0
    for entries in _lists_outermost_first(kept):
        while excess > 0 and len(entries) > 1:
            excess -= len(_encoded(entries.pop())) + 1  # its comma
            dropped += 1
    if excess <= 0:
        return kept, f"{dropped}"
    shortened = _with_short_texts(kept)
    if len(_encoded(shortened)) > MAX_DATA_BYTES:
        shortened = {"beginning": encoded[: MAX_DATA_BYTES // 4].decode(errors="ignore")}
    return shortened, f"{len(encoded) - len(_encoded(shortened))} bytes"


def _lists_outermost_first(value: JSON) -> Iterator[list[JSON]]:
    level = [value]
    while level:
        below: list[JSON] = []
        for one in level:
            if isinstance(one, list):
                yield one
                below += one
            elif isinstance(one, dict):
                below += one.values()
        level = below


def _with_short_texts(value: JSON) -> JSON:
    if isinstance(value, str) and len(value) > _KEPT_CHARACTERS:
        return f"{value[:_KEPT_CHARACTERS]}…"
    if isinstance(value, list):
        return [_with_short_texts(one) for one in value]
    if isinstance(value, dict):
        return {key: _with_short_texts(one) for key, one in value.items()}
    return value


def _bounded_markdown(text: str) -> str:
    encoded = text.encode(errors="replace")
    if len(encoded) <= MAX_MARKDOWN_BYTES:
        return text
    kept = encoded[:MAX_MARKDOWN_BYTES].decode(errors="ignore")
    lines = kept.splitlines()
    whole = lines[:-1] if len(lines) > 1 else lines
    open_fence = sum(line.lstrip().startswith("```") for line in whole) % 2
    return "\n".join([*whole, *["```"] * open_fence, "", "… (truncated)"])


def _encoded(value: JSON) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode(
        errors="replace"
    )
