"""Which of a tool's files go with its answer, and what is said of those that do not."""

from collections.abc import Sequence
from typing import Final

from lycatra_appservice.model import File
from lycatra_appservice.words.text import Said, Text

MAX_FILES: Final = 5
MAX_FILE_BYTES: Final = 4 * 1024 * 1024  # a phone loads it, and every usual homeserver takes it
MAX_ALL_BYTES: Final = 8 * 1024 * 1024  # they wait in the database until they are sent

_SHOWN_NAME: Final = 60  # characters


def fitting(files: Sequence[File]) -> tuple[tuple[File, ...], Sequence[Said]]:
    """The files that are few and small enough, in their order, and a word about each other one.

    An empty file is left out, too: homeservers take none.
    """
    kept: list[File] = []
    words: list[Said] = []
    room = MAX_ALL_BYTES
    for file in files:
        size = len(file.data)
        if size == 0:
            words.append(Text("file_empty", name=_shown(file)))
        elif size > MAX_FILE_BYTES:
            words.append(Text("file_too_large", name=_shown(file), size=in_bytes(size)))
        elif len(kept) == MAX_FILES or size > room:
            words.append(Text("file_one_too_many", name=_shown(file)))
        else:
            kept.append(file)
            room -= size
    return tuple(kept), words


def in_bytes(size: int) -> str:
    """A size as people read it: `812 B`, `14 kB`, `3.2 MB`."""
    if size < 1000:
        return f"{size} B"
    if size < 1_000_000:
        return f"{round(size / 1000)} kB"
    return f"{size / 1_000_000:.1f} MB"


def _shown(file: File) -> str:
    return " ".join(file.name.replace("`", "'").split())[:_SHOWN_NAME] or "file"
