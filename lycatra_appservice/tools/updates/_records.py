"""Turns JSON objects of other people's making into updates, by a map of field names."""

import re
from collections.abc import Mapping
from zoneinfo import ZoneInfo

from lycatra_appservice.toolkit.base import JSON
from lycatra_appservice.tools.updates._settings import FieldMap
from lycatra_appservice.tools.updates._update import Update, clipped, clipped_changes, read_when

_LIST_MARK = re.compile(r"^\s*(?:[-*+]|#+)\s+")


def inner(record: JSON, path: str) -> JSON:
    """What stands under a dotted path; None when any part of it is missing."""
    for key in path.split("."):
        if not isinstance(record, Mapping):
            return None
        record = record.get(key)
    return record


def update_of(
    record: JSON, fields: FieldMap, *, service: str, kind: str, zone: ZoneInfo
) -> Update | None:
    """The update a record tells of; None when it has neither a version nor a title."""
    version, title = _text(inner(record, fields.version)), _text(inner(record, fields.title))
    if not version and not title:
        return None
    return Update(
        service=_text(inner(record, fields.service)) or service,
        kind=kind,
        version=version or None,
        title=title,
        when=read_when(inner(record, fields.date), zone),
        changes=clipped_changes(lines_of(inner(record, fields.changes))),
        url=_text(inner(record, fields.url)) or None,
    )


def _text(value: JSON) -> str:
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return clipped(str(value))
    return ""


def lines_of(value: JSON) -> list[str]:
    """The lines of a text without the marks of lists and headings, or the texts of a list."""
    if isinstance(value, str):
        lines = (_LIST_MARK.sub("", line).strip() for line in value.splitlines())
        return [line for line in lines if line]
    if isinstance(value, list):
        return [text for one in value if (text := _text(one))]
    return []
