"""The documents of the configuration, as tools and other faces ask for them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lycatra_appservice.toolkit.base import Document
from lycatra_appservice.tools.docs._files import DocFile, files_below, own_files
from lycatra_appservice.tools.docs._index import Known
from lycatra_appservice.tools.docs._settings import OWN_SET, DocsSettings

_MIME_TYPE: Final = "text/markdown"
_SCHEME: Final = "docs://"


@dataclass(frozen=True, slots=True)
class Shelf:
    """Looks at the folders anew for each question; a Library."""

    settings: DocsSettings
    base_folder: Path

    async def documents(self) -> Sequence[Document]:
        """All of them: Lycatra's own, then by set and name."""
        return [
            Document(uri=doc.uri, title=doc.title, mime_type=_MIME_TYPE, size_bytes=doc.size_bytes)
            for doc in (await self.known()).docs.values()
        ]

    async def text(self, uri: str) -> str:
        """What a document says; `docs://README` is Lycatra's own. Raises LookupError."""
        docs = (await self.known()).docs
        own = uri.replace(_SCHEME, f"{_SCHEME}{OWN_SET}/", 1)
        return docs[uri if uri in docs else own].text

    async def known(self) -> Known:
        """All that there is now."""
        return await asyncio.to_thread(self._look)

    def _look(self) -> Known:
        files: dict[str, Sequence[DocFile]] = {OWN_SET: list(own_files())}
        notes: list[str] = []
        for each in self.settings.sets:
            try:
                files[each.name] = list(files_below(self.base_folder / each.folder))
            except OSError:
                notes.append(f"the folder of `{each.name}` cannot be read")
        return self.settings.index.refreshed(files, notes)


def shelf_of(settings: DocsSettings, base_folder: Path) -> Shelf:
    """The documents of a section of the configuration."""
    return Shelf(settings, base_folder)
