"""Reads Atom feeds with the standard library's expat, which here refuses every DTD.

Without a DTD there are no entities to expand and nothing to fetch, which is all that a hardened
parser would add; a dependency less.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat
from zoneinfo import ZoneInfo

from lycatra_appservice.tools.updates._update import Update, clipped, read_when

_ATOM = "{http://www.w3.org/2005/Atom}"
_MOST_ENTRIES = 500
_LONGEST_HTML = 50_000  # characters; few of its lines are shown, and a parser may be slow


class NotAtomError(Exception):
    """The document is not a feed that we read; the message is safe to show."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry as it stands there; whatever it lacks is empty. `text` has no markup."""

    id: str
    title: str
    when: str
    url: str | None
    text: str


def read_atom(document: bytes, service: str, zone: ZoneInfo) -> Sequence[Update]:
    """The feed's entries in its order. Raises NotAtomError."""
    return [_update(entry, service, zone) for entry in _entries(document)]


def read_entries(document: bytes) -> Sequence[Entry]:
    """The feed's entries in its order. Raises NotAtomError."""
    return [
        Entry(
            id=_text(entry, "id"),
            title=_text(entry, "title"),
            when=_text(entry, "updated") or _text(entry, "published"),
            url=_link(entry),
            text=_content(entry, "content") or _content(entry, "summary"),
        )
        for entry in _entries(document)
    ]


def _entries(document: bytes) -> Sequence[Element]:
    feed = _parsed(document)
    if feed.tag != f"{_ATOM}feed":
        raise NotAtomError("its answer is XML, but no Atom feed")
    return feed.findall(f"{_ATOM}entry")[:_MOST_ENTRIES]


def _parsed(document: bytes) -> Element:
    builder = TreeBuilder()
    # Expat writes a name as `uri}name`, the element tree as `{uri}name`.
    parser = expat.ParserCreate(namespace_separator="}")
    parser.StartElementHandler = lambda name, given: builder.start(_tag(name), given)
    parser.EndElementHandler = lambda name: builder.end(_tag(name))
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = _refuse_dtd
    try:
        parser.Parse(document, True)
    except (expat.ExpatError, ValueError) as exc:
        raise NotAtomError("its answer is broken XML") from exc
    return builder.close()


def _tag(name: str) -> str:
    return f"{{{name}" if "}" in name else name


def _refuse_dtd(*_: object) -> None:
    raise NotAtomError("its answer has a DTD, which is refused")


def _update(entry: Element, service: str, zone: ZoneInfo) -> Update:
    when = _text(entry, "updated") or _text(entry, "published")
    return Update(
        service=service,
        kind="entry",
        title=clipped(_text(entry, "title")) or "(no title)",
        when=read_when(when, zone),
        url=_link(entry),
    )


def _text(entry: Element, name: str) -> str:
    found = entry.find(f"{_ATOM}{name}")
    return "" if found is None else "".join(found.itertext()).strip()


def _link(entry: Element) -> str | None:
    link = entry.find(f"{_ATOM}link")
    return link.get("href") if link is not None else None


def _content(entry: Element, name: str) -> str:
    found = entry.find(f"{_ATOM}{name}")
    if found is None or found.get("type") != "html":
        return _text(entry, name)
    words = _Words()
    try:
        words.feed("".join(found.itertext())[:_LONGEST_HTML])
    except AssertionError:  # so html.parser of Python 3.11 refuses `<![odd[`
        return words.text
    return words.text


class _Words(HTMLParser):
    """Collects what HTML says, a line for each block."""

    _BLOCKS = frozenset({"br", "div", "h1", "h2", "h3", "h4", "h5", "h6", "li", "p", "tr", "ul"})

    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        if tag in self._BLOCKS:
            self.text += "\n"

    def handle_data(self, data: str) -> None:
        self.text += " ".join(data.split("\n"))
