"""What a server answered, as a result of ours: texts, structured content, pictures and files.

All of it is a stranger's: it is shown as what it says, never followed. The gate bounds it.
"""

import base64
import binascii
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import mcp_types as types

from lycatra_appservice.model import JSON, File
from lycatra_appservice.toolkit.base import ToolResult
from lycatra_appservice.toolkit.remote.schema import plain_line
from lycatra_appservice.words.text import Text

_MOST_BLOCKS: Final = 200
_LONGEST_NAME: Final = 60
_MOST_ENCODED: Final = 12 * 1024 * 1024  # characters; no file that large is shown anyway
_FENCE: Final = re.compile(r"`{3,}")
_ODD: Final = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(slots=True)
class _Parts:
    texts: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    files: list[File] = field(default_factory=list)
    lost: int = 0


def result_from(answer: types.CallToolResult, tool: str) -> ToolResult:
    """The answer of a call that worked."""
    parts = _Parts()
    for number, block in enumerate(answer.content[:_MOST_BLOCKS], 1):
        _add(parts, block, f"{tool}-{number}")
    parts.lost += max(0, len(answer.content) - _MOST_BLOCKS)
    data = answer.structured_content
    if data is not None and not parts.shown:
        parts.shown.append(_code(json.dumps(data, ensure_ascii=False, indent=2), "json"))
    return ToolResult(
        data=_data(parts.texts) if data is None else data,
        markdown="\n\n".join(parts.shown),
        files=tuple(parts.files),
        note=Text("remote_left_out", n=parts.lost) if parts.lost else None,
    )


def words_of(answer: types.CallToolResult, longest: int) -> str:
    """Its texts in one line, for a sentence about a failure."""
    texts = [each.text for each in answer.content[:5] if isinstance(each, types.TextContent)]
    return plain_line(" ".join(texts), longest).replace("`", "'")


def _data(texts: Sequence[str]) -> JSON:
    if len(texts) == 1:
        try:
            return json.loads(texts[0])
        except (ValueError, RecursionError):
            pass
    return {"text": "\n\n".join(texts)}


def _add(parts: _Parts, block: Any, name: str) -> None:
    match block:
        case types.TextContent():
            parts.texts.append(block.text)
            parts.shown.append(_shown(block.text))
        case types.ImageContent() | types.AudioContent():
            _add_file(parts, name, block.mime_type, block.data)
        case types.ResourceLink():
            parts.texts.append(f"{block.name}: {block.uri}")
            parts.shown.append(_link(block.title or block.name, str(block.uri)))
        case types.EmbeddedResource(resource=types.TextResourceContents() as found):
            parts.texts.append(found.text)
            parts.shown.append(_code(found.text))
        case types.EmbeddedResource(resource=types.BlobResourceContents() as found):
            own = urlsplit(str(found.uri)).path.rpartition("/")[2] or name
            kind = found.mime_type or "application/octet-stream"
            _add_file(parts, own, kind, found.blob)
        case _:
            parts.lost += 1


def _add_file(parts: _Parts, name: str, kind: str, encoded: str) -> None:
    data = _decoded(encoded)
    if data is None:
        parts.lost += 1
        return
    plain = _ODD.sub("_", name)[:_LONGEST_NAME] or "file"
    parts.files.append(
        File(name=plain, content_type=kind, data=data, description=f"A file: {plain}")
    )


def _decoded(encoded: str) -> bytes | None:
    if len(encoded) > _MOST_ENCODED:
        return None
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return None


def _shown(text: str) -> str:
    """JSON as code; everything else is Markdown as servers write it, which the chat makes safe."""
    stripped = text.strip()
    if stripped[:1] in ("{", "[") and stripped[-1:] in ("}", "]"):
        return _code(stripped, "json")
    return stripped


def _code(text: str, language: str = "") -> str:
    fence = "`" * max(3, max(map(len, _FENCE.findall(text)), default=0) + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def _link(title: str, address: str) -> str:
    shown = plain_line(title, _LONGEST_NAME).translate(str.maketrans("", "", "[]()`<>"))
    plain = plain_line(address, 500)
    if re.fullmatch(r"https?://[^\s<>()\[\]`]+", plain):
        return f"[{shown or 'link'}]({plain})"
    return f"{shown}: `{plain.replace('`', '')}`"
