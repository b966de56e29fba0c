"""Cuts Markdown to a length: the part that tells most, or one page after the other; pure."""

from collections.abc import Sequence
from typing import Final

from lycatra_appservice.tools.docs._stems import stems_of

_FENCES: Final = ("```", "~~~")


def excerpt(text: str, stems: Sequence[str], longest: int) -> str:
    """The paragraphs in a row that hold most of these stems, of about `longest` characters."""
    if len(text) <= longest:
        return text
    paragraphs = [each for each in text.split("\n\n") if each.strip()]
    wanted = set(stems)
    worth = [len(wanted & set(stems_of(each))) for each in paragraphs]
    start = max(range(len(paragraphs)), key=lambda at: (worth[at], -at), default=0)
    kept: list[str] = []
    room = longest
    for paragraph in paragraphs[start:]:
        if kept and len(paragraph) > room:
            break
        kept.append(_clipped(paragraph, room))
        room -= len(paragraph)
    cut = "\n\n".join(kept)
    before = "…\n\n" if start else ""
    after = "\n\n…" if start + len(kept) < len(paragraphs) and not cut.endswith("…") else ""
    return f"{before}{_closed(cut)}{after}"


def pages_of(text: str, longest: int) -> Sequence[str]:
    """Parts of at most `longest` characters, cut between lines; code that is cut goes on."""
    pages: list[str] = []
    lines: list[str] = []
    size = 0
    fence = ""
    for line in (piece for whole in text.split("\n") for piece in _pieces(whole, longest)):
        if lines and size + len(line) > longest:
            pages.append("\n".join([*lines, *([fence[:3]] if fence else [])]))
            lines = [fence] if fence else []
            size = len(fence)
        lines.append(line)
        size += len(line) + 1
        if line.lstrip().startswith(_FENCES):
            fence = "" if fence else line.lstrip()
    return [*pages, "\n".join(lines)]


def _pieces(line: str, longest: int) -> Sequence[str]:
    return [line[at : at + longest] for at in range(0, len(line), longest)] or [""]


def _clipped(paragraph: str, room: int) -> str:
    if len(paragraph) <= room:
        return paragraph
    return f"{paragraph[:room].rpartition(' ')[0] or paragraph[:room]} …"


def _closed(text: str) -> str:
    """With an end for code that was cut."""
    marks = [line.lstrip()[:3] for line in text.split("\n") if line.lstrip().startswith(_FENCES)]
    return f"{text}\n{marks[-1]}" if len(marks) % 2 else text
