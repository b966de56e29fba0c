"""The documents that a caller may read: those of the namespaces whose tools it may use."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from lycatra_appservice.toolkit.base import Document, Library
from lycatra_appservice.toolkit.registry import Registry
from lycatra_appservice.toolkit.toolbox import Toolbox


class Documents:
    """Looks at the libraries of all namespaces, as they are now."""

    def __init__(
        self, registry: Registry, settings: Mapping[str, object], base_folder: Path
    ) -> None:
        """`settings` has the checked section of every namespace."""
        self._registry = registry
        self._libraries: Mapping[str, Library] = {
            each.name: each.library(settings[each.name], base_folder)
            for each in registry.namespaces
            if each.library is not None
        }

    async def all(self, toolbox: Toolbox) -> Sequence[Document]:
        """What may be read, in a stable order."""
        return [
            document
            for library in self._readable(toolbox)
            for document in await library.documents()
        ]

    async def text(self, toolbox: Toolbox, uri: str) -> tuple[str, str]:
        """What a document says, and its MIME type. Raises LookupError."""
        for library in self._readable(toolbox):
            try:
                text = await library.text(uri)
            except LookupError:
                continue
            kinds = {each.uri: each.mime_type for each in await library.documents()}
            return text, kinds.get(uri, "text/markdown")
        raise LookupError(uri)

    def _readable(self, toolbox: Toolbox) -> Sequence[Library]:
        homes = {toolbox.namespace_of(tool.name).name for tool in toolbox.tools()}
        return [library for name, library in self._libraries.items() if name in homes]
