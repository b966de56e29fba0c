"""What is known of all documents: read when somebody asks, and again when a file has changed."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Final
from urllib.parse import quote

from lycatra_appservice.tools.docs._files import DocFile
from lycatra_appservice.tools.docs._ranking import Ranking
from lycatra_appservice.tools.docs._sections import Section, sections_of, title_of
from lycatra_appservice.tools.docs._stems import stems_of

SCHEME: Final = "docs://"

_MOST_BYTES: Final = 1024 * 1024  # of a document; what stands behind is not read
_MOST_TOGETHER: Final = 16 * 1024 * 1024  # of all of them
_OF_HEADING: Final = 3  # how often a word of a heading counts
_OF_TITLE: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Doc:
    """A document as it was when it was read."""

    uri: str
    title: str
    text: str
    size_bytes: int
    version: tuple[int, int]
    weight: float
    sections: Sequence[Section]
    counts: Sequence[Mapping[str, int]]  # of stems, by section


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """All documents, in a stable order, and sentences about what could not be read."""

    docs: Mapping[str, Doc] = field(default_factory=dict)
    places: Sequence[tuple[Doc, int]] = ()  # each section, by its document and position
    ranking: Ranking = field(default_factory=lambda: Ranking((), ()))
    notes: Sequence[str] = ()


class Index:
    """One for a process; threads may ask at the same time, and one of them reads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._known = Known()

    def refreshed(self, files: Mapping[str, Sequence[DocFile]], notes: Sequence[str]) -> Known:
        """What these files say now, by the name of their set; only changed ones are read."""
        with self._lock:
            known = self._known
            docs, more = self._read(files)
            said = (*notes, *more)
            if docs == known.docs and said == known.notes:
                return known
            places = [(doc, at) for doc in docs.values() for at in range(len(doc.sections))]
            counts = [count for doc in docs.values() for count in doc.counts]
            ranking = Ranking(counts, [doc.weight for doc, _ in places])
            self._known = Known(docs=docs, places=places, ranking=ranking, notes=said)
            return self._known

    def _read(
        self, files: Mapping[str, Sequence[DocFile]]
    ) -> tuple[Mapping[str, Doc], Sequence[str]]:
        docs: dict[str, Doc] = {}
        left = _MOST_TOGETHER
        unread = 0
        for uri, file in _named(files):
            doc = self._known.docs.get(uri)
            if doc is None or doc.version != file.version:
                doc = _doc(uri, file) if left > 0 else None
            if doc is None or doc.size_bytes > left:
                unread += 1
                continue
            left -= doc.size_bytes
            docs[uri] = doc
        return docs, [f"{unread} documents could not be read, or are too many"] if unread else []


def _named(files: Mapping[str, Sequence[DocFile]]) -> Iterator[tuple[str, DocFile]]:
    for name, members in files.items():
        for file in members:
            yield f"{SCHEME}{name}/{quote(file.name)}", file


def _doc(uri: str, file: DocFile) -> Doc | None:
    try:
        with file.path.open("rb") as opened:
            raw = opened.read(_MOST_BYTES)
    except OSError:
        return None
    text = raw.decode(errors="replace").removeprefix("\ufeff").replace("\0", "")
    sections = sections_of(text)
    title = title_of(sections, file.name)
    return Doc(
        uri=uri,
        title=title,
        text=text,
        size_bytes=len(raw),
        version=file.version,
        weight=file.weight,
        sections=sections,
        counts=[_counted(each, f"{file.name} {title}") for each in sections],
    )


def _counted(section: Section, title: str) -> Counter[str]:
    counts = Counter(stems_of(section.text))
    for words, times in ((section.heading, _OF_HEADING), (title, _OF_TITLE)):
        for stem in stems_of(words):
            counts[stem] += times
    counts.update(stems_of(" ".join(section.above)))
    return counts
