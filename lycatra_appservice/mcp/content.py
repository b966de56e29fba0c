"""What a tool found, as MCP clients get it: readable text, structure, pictures, files, links."""

from base64 import b64encode
from collections.abc import Iterator, Sequence
from typing import Final
from urllib.parse import quote

from mcp_types import (
    BlobResourceContents,
    CallToolResult,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
)

from lycatra_appservice.model import JSON, File
from lycatra_appservice.toolkit.base import Document, ToolResult
from lycatra_appservice.words.catalogue import in_english

_IMAGES: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
_MOST_LINKS: Final = 10
_NOTE: Final = "note"


def answer_of(result: ToolResult, documents: Sequence[Document] = ()) -> CallToolResult:
    """The answer to a call; `documents` are those that it may link to."""
    note = in_english(result.note) if result.note else None
    text = result.markdown if note is None else f"{result.markdown}\n\n({note})"
    links = [_link(each) for each in documents[:_MOST_LINKS]]
    return CallToolResult(
        content=[TextContent(type="text", text=text), *map(_file, result.files), *links],
        structured_content=structured(result.data, note),
    )


def refusal_of(words: str) -> CallToolResult:
    """A call that failed, in words that a model can act on."""
    return CallToolResult(content=[TextContent(type="text", text=words)], is_error=True)


def structured(data: JSON, note: str | None) -> dict[str, JSON]:
    """Always an object, as every revision wants it; what was left out stands in it."""
    found = dict(data) if isinstance(data, dict) else {"result": data}
    if note is not None:
        found.setdefault(_NOTE, note)
    return found


def texts_in(data: JSON) -> Iterator[str]:
    """Every text of a result, for finding what it names."""
    level = [data]
    while level:
        below: list[JSON] = []
        for each in level:
            if isinstance(each, str):
                yield each
            elif isinstance(each, dict):
                below += each.values()
            elif isinstance(each, list):
                below += each
        level = below


def _file(file: File) -> ContentBlock:
    data = b64encode(file.data).decode()
    if file.content_type in _IMAGES:
        return ImageContent(type="image", data=data, mime_type=file.content_type)
    return EmbeddedResource(
        type="resource",
        resource=BlobResourceContents(
            uri=f"lycatra://file/{quote(file.name, safe='')}",
            mime_type=file.content_type,
            blob=data,
        ),
    )


def _link(document: Document) -> ContentBlock:
    return ResourceLink(
        type="resource_link",
        uri=document.uri,
        name=document.uri,
        title=document.title,
        mime_type=document.mime_type,
        size=document.size_bytes,
    )
