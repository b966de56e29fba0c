"""Markdown as sections: pure."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

_HEADING: Final = re.compile(r" {0,3}(#{1,6})\s+(.+?)(?:\s+#+)?\s*$")
_FENCE: Final = re.compile(r" {0,3}(`{3,}|~{3,})")
_FRONT_MATTER: Final = re.compile(r"\A---\r?\n.*?^---\r?$\n?", re.DOTALL | re.MULTILINE)
_LINK: Final = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_NO_WORD: Final = re.compile(r"[^\w\- ]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A heading with the text below it, up to the next one; `above` are those it stands under.

    What comes before the first heading has level 0 and no heading.
    """

    level: int
    heading: str
    above: Sequence[str]
    text: str  # without the heading

    @property
    def slug(self) -> str:
        """The heading as the anchor of a link."""
        return slug_of(self.heading)

    @property
    def markdown(self) -> str:
        """The section as it stands in the document, about."""
        head = f"{'#' * self.level} {self.heading}" if self.heading else ""
        return f"{head}\n\n{self.text}".strip()


def slug_of(heading: str) -> str:
    """`How it works!` as `how-it-works`."""
    return _NO_WORD.sub("", heading.strip().casefold()).replace(" ", "-")


def sections_of(text: str) -> Sequence[Section]:
    """All of a document, in its order; headings inside code are none."""
    sections: list[Section] = []
    trail: list[tuple[int, str]] = []
    for level, heading, body in _parts(_FRONT_MATTER.sub("", text.replace("\r\n", "\n"))):
        while trail and trail[-1][0] >= level:
            trail.pop()
        above = tuple(said for _, said in trail)
        if heading or body:
            sections.append(Section(level=level, heading=heading, above=above, text=body))
        if heading:
            trail.append((level, heading))
    return sections


def title_of(sections: Sequence[Section], otherwise: str) -> str:
    """The first heading of the first level, or of any."""
    headed = [each for each in sections if each.heading]
    best = min(headed, key=lambda each: each.level, default=None)
    return best.heading if best else otherwise


def with_those_below(sections: Sequence[Section], at: int) -> Sequence[Section]:
    """A section and all that stand under its heading."""
    level = sections[at].level
    end = at + 1
    while end < len(sections) and sections[end].level > level:
        end += 1
    return sections[at:end]


def _parts(text: str) -> Iterator[tuple[int, str, str]]:
    level, heading = 0, ""
    body: list[str] = []
    fence = ""
    for line in text.split("\n"):
        if mark := _FENCE.match(line):
            if not fence:
                fence = mark[1]
            elif mark[1].startswith(fence):
                fence = ""
        found = None if fence else _HEADING.match(line)
        if found is None:
            body.append(line)
            continue
        yield level, heading, "\n".join(body).strip("\n")
        level, heading, body = len(found[1]), _plain(found[2]), []
    yield level, heading, "\n".join(body).strip("\n")


def _plain(heading: str) -> str:
    return _LINK.sub(r"\1", heading).replace("`", "").replace("*", "").strip()
