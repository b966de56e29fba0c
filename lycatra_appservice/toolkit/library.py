"""The documents of a namespace: what its tools read, and what other faces may list."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A text that can be read by its URI, such as `docs://lycatra/README`."""

    uri: str
    title: str
    mime_type: str
    size_bytes: int


class Library(Protocol):
    """Documents as they are now; both methods look anew, and may be asked from any task.

    Who may read them is whoever may use the tools of the namespace that has them.
    """

    async def documents(self) -> Sequence[Document]:
        """All of them, in a stable order."""

    async def text(self, uri: str) -> str:
        """What a document says. Raises LookupError for a URI that none of them has."""
