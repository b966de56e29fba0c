"""The address that a call asks: the configured one, with what was said in its places; pure."""

from collections.abc import Collection, Mapping
from typing import TypeAlias
from urllib.parse import quote

from lycatra_appservice.errors import InvalidArgumentsError
from lycatra_appservice.settings_http_json import (
    OFFSET,
    PAGE,
    PAGE_SIZE,
    PLACEHOLDER,
    HttpJsonTool,
    placeholders,
)

Said: TypeAlias = Mapping[str, str | None]


def address_for(tool: HttpJsonTool, arguments: Mapping[str, object], page: int) -> str:
    """Everything that was said is encoded, so that it stays in its place.

    What was not said takes its part of the query with it. Raises InvalidArgumentsError for what
    would lead to another path.
    """
    said: Said = {
        **{name: _text(value) for name, value in arguments.items()},
        PAGE: str(page),
        OFFSET: str((page - 1) * tool.page_size),
        PAGE_SIZE: str(tool.page_size),
    }
    path, _, query = tool.url.partition("?")
    for name in placeholders(path):
        if not (said[name] or "").strip("."):
            raise InvalidArgumentsError(
                f"`{name}` cannot be empty, or be dots alone.", [f"`{name}` is a part of a path"]
            )
    # A choice is the operator's own word, and may be several parts of a path: `shop/web`.
    chosen = {each.name for each in tool.arguments if each.kind == "choice"}
    parts = [
        _filled(part, said, ())
        for part in query.split("&")
        if part and all(said[name] is not None for name in placeholders(part))
    ]
    return "?".join([_filled(path, said, chosen), *(["&".join(parts)] if parts else [])])


def _filled(text: str, said: Said, with_slashes: Collection[str]) -> str:
    return PLACEHOLDER.sub(
        lambda found: quote(said[found[1]] or "", safe="/" if found[1] in with_slashes else ""),
        text,
    )


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return str(value).lower() if isinstance(value, bool) else str(value)
