"""Facts as Markdown tables, and times as people of the configured zone write them."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; whatever stands in a cell stays in its cell."""
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join(f"| {' | '.join(map(one_line, cells))} |" for cells in lines)


def one_line(text: str) -> str:
    """Text that cannot leave its cell or list item: no line breaks, pipes escaped."""
    return " ".join(text.split()).replace("|", "\\|")


def minute(when: datetime, zone: ZoneInfo) -> str:
    """`2026-11-22 09:45` in the zone; the zone itself is named once, by the caller."""
    return when.astimezone(zone).strftime("%Y-%m-%d %H:%M")
