"""Keeps what a tool found small enough for a prompt, a message and a row, and says what went."""

import inspect
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from lycatra_appservice.model import JSON, File
from lycatra_appservice.toolkit.base import ToolResult
from lycatra_appservice.toolkit.files import fitting
from lycatra_appservice.words.text import Said, Text

MAX_DATA_BYTES = 16 * 1024  # a handful of these must fit into a small model's window
MAX_MARKDOWN_BYTES = 512 * 1024  # the chat makes a file of what is too long for a few messages
_KEPT_CHARACTERS = 500  # of one text, when nothing but a long text is left to cut


def bounded(result: ToolResult) -> ToolResult:
    """The result with lists cut from their end until `data` fits, and the cut told in `note`.

    Files that are too large or too many are left out, and told of in the same way. Raises
    TypeError or ValueError when `data` is not JSON, which is a mistake of the tool.
    """
    data, left_out = _bounded_data(result.data)
    markdown = _bounded_markdown(result.markdown)
    files, notes = fitting(result.files)
    if left_out is None and markdown != result.markdown:
        left_out = Text("text_cut")
    note = _together([result.note, left_out, *notes])
    return replace(result, data=data, markdown=markdown, note=note, files=files)


def result_of(run: Callable[..., object], found: object) -> ToolResult:
    """What `run` gave, if that is a result. Raises TypeError, with the file to look into."""
    if isinstance(found, ToolResult):
        return found
    what = "nothing" if found is None else f"a {type(found).__name__}"
    file = inspect.getsourcefile(inspect.unwrap(run))
    raise TypeError(f"run must return a ToolResult, and returned {what}: {file}")


def with_attached(result: ToolResult, attached: Sequence[File]) -> ToolResult:
    """The result with what the tool has attached after its own files."""
    return replace(result, files=[*result.files, *attached]) if attached else result


def _together(notes: Sequence[Said | None]) -> Said | None:
    together: Said | None = None
    for note in notes:
        if note:
            together = Text("and_also", first=together, second=note) if together else note
    return together


def _bounded_data(data: JSON) -> tuple[JSON, Text | None]:
    """The data that fits, and how much was left out; None when it fitted at once."""
    encoded = _encoded(data)
    if len(encoded) <= MAX_DATA_BYTES:
        return data, None
    kept = json.loads(encoded)  # a copy of our own, the tool may still hold the original
    excess = len(encoded) - MAX_DATA_BYTES
    dropped = 0
    for entries in _lists_outermost_first(kept):
        while excess > 0 and len(entries) > 1:
            excess -= len(_encoded(entries.pop())) + 1  # its comma
            dropped += 1
    if excess <= 0:
        return kept, Text("left_out", n=dropped)
    shortened = _with_short_texts(kept)
    if len(_encoded(shortened)) > MAX_DATA_BYTES:
        shortened = {"beginning": encoded[: MAX_DATA_BYTES // 4].decode(errors="ignore")}
    return shortened, Text("left_out_bytes", n=len(encoded) - len(_encoded(shortened)))


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
    return "\n".join([*whole, *["```"] * open_fence, "", "…"])


def _encoded(value: JSON) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode(
        errors="replace"
    )
