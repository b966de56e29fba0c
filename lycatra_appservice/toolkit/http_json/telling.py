"""What was found, for a program and for people, in the words of the configuration; pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Final
from zoneinfo import ZoneInfo

from lycatra_appservice.model import JSON
from lycatra_appservice.settings_http_json import HttpJsonField, HttpJsonTool
from lycatra_appservice.toolkit.base import ToolResult
from lycatra_appservice.toolkit.http_json.reading import Fact, fact_of

_NO_LETTERS: Final = re.compile(r"[^0-9a-z]+")
_UNITS: Final[Mapping[str, str]] = {"%": "percent", "€": "eur", "$": "usd"}


def told(
    tool: HttpJsonTool, page: Sequence[JSON], number: int, note: str | None, zone: ZoneInfo
) -> ToolResult:
    """One page of entries."""
    facts = [[fact_of(entry, field, zone) for field in tool.fields] for entry in page]
    keys = [_key(field) for field in tool.fields]
    return ToolResult(
        data={
            "entries": [
                {key: fact.value for key, fact in zip(keys, row, strict=True)} for row in facts
            ],
            "page": number,
        },
        markdown=_markdown(tool, facts, zone),
        note=note,
    )


def _markdown(tool: HttpJsonTool, facts: Sequence[Sequence[Fact]], zone: ZoneInfo) -> str:
    titles = [_cell(field.title) for field in tool.fields]
    has_times = any(field.kind == "time" for field in tool.fields)
    head = f"**{_cell(tool.title)}**{f' (times in {zone.key})' if has_times else ''}"
    match facts:
        case []:
            return tool.when_empty
        case [row]:
            lines = [
                f"- {title}: {fact.said}"
                for title, fact in zip(titles, row, strict=True)
                if fact.said
            ]
        case rows:
            cells = [
                titles,
                ["---"] * len(titles),
                *([_cell(f.said) for f in row] for row in rows),
            ]
            lines = [f"| {' | '.join(row)} |" for row in cells]
    return "\n".join([head, "", *lines])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _key(field: HttpJsonField) -> str:
    name, unit = _slug(field.title) or _slug(field.key), _UNITS.get(field.unit, _slug(field.unit))
    return f"{name}_{unit}" if unit and not name.endswith(f"_{unit}") else name


def _slug(text: str) -> str:
    return _NO_LETTERS.sub("_", text.lower()).strip("_")
