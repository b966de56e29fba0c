"""How entries of logs look: as JSON, and as Markdown with times of the configured zone."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from lycatra_appservice.toolkit.base import JSON
from lycatra_appservice.tools.logs._entry import Entry
from lycatra_appservice.tools.logs._wanted import Found

_PAGE_BYTES: Final = 12_000  # of JSON; less than the gate lets through
_LONGEST_TEXT: Final = 1500  # characters of an entry
_LONGEST_NEIGHBOUR: Final = 300  # of one that only stands beside it
_TICKS: Final = re.compile(r"`{3,}")


@dataclass(frozen=True, slots=True)
class Shown:
    """An entry with its source."""

    source: str
    found: Found


def fitting(page: Sequence[Shown], zone: ZoneInfo) -> Sequence[Shown]:
    """As many as one answer holds, so that the gate cuts nothing which no page would show."""
    used = 0
    for number, each in enumerate(page):
        used += len(json.dumps(as_json(each, zone), ensure_ascii=False).encode(errors="replace"))
        if used > _PAGE_BYTES and number:
            return page[:number]
    return page


def as_json(shown: Shown, zone: ZoneInfo) -> JSON:
    """One entry for a program or a model, and what stands around it if that was asked for."""
    entry, found = shown.found.entry, shown.found
    record: dict[str, JSON] = {
        "source": shown.source,
        "time": _time(entry.when, zone),
        "level": entry.severity.name.lower() if entry.severity else None,
        "text": _clipped(entry.text, _LONGEST_TEXT),
    }
    if entry.place:
        record["from"] = entry.place
    for name, around in (("before", found.before), ("after", found.after)):
        if around:
            record[name] = [_clipped(each.text, _LONGEST_NEIGHBOUR) for each in around]
    return record


def as_markdown(page: Sequence[Shown], notes: Sequence[str], zone: ZoneInfo) -> str:
    """A block of lines, newest first, in which nothing of them is taken for Markdown."""
    parts = ["Nothing in the logs fits."]
    if page:
        lines = [line for each in page for line in _lines(each, zone)]
        head = f"**{len(page)} from the logs**, newest first (times in {zone.key})"
        parts = [head, "\n".join(["```text", *lines, "```"])]
    return "\n\n".join([*parts, *(f"⚠️ {note}" for note in notes)])


def _lines(shown: Shown, zone: ZoneInfo) -> Iterator[str]:
    found = shown.found
    for entry in reversed(found.after):
        yield f"    {_line(entry, shown.source, zone, _LONGEST_NEIGHBOUR)}"
    yield _line(found.entry, shown.source, zone, _LONGEST_TEXT)
    for entry in reversed(found.before):
        yield f"    {_line(entry, shown.source, zone, _LONGEST_NEIGHBOUR)}"


def _line(entry: Entry, source: str, zone: ZoneInfo, longest: int) -> str:
    when = entry.when.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S") if entry.when else "?"
    where = f"{source}/{entry.place}" if entry.place else source
    # A fence would end the block; two ticks are as good to read.
    return _TICKS.sub("``", f"{when}  {where}  {_clipped(entry.text, longest)}")


def _time(when: datetime | None, zone: ZoneInfo) -> str | None:
    return when.astimezone(zone).isoformat(timespec="seconds") if when else None


def _clipped(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[:longest]}…"
