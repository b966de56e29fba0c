"""Files that tools gave in a turn: how they stand in its journal, and which go with the answer."""

import base64
from collections.abc import Sequence
from typing import Final

from lycatra_appservice.model import JSON, File

MAX_FILES: Final = 5  # below one answer; a model that calls often would flood the room
MAX_BYTES: Final = 8 * 1024 * 1024


def file_to_json(file: File) -> JSON:
    """The file as the journal keeps it, so that a resumed turn shows it without the tool."""
    return {
        "name": file.name,
        "content_type": file.content_type,
        "description": file.description,
        "data": base64.b64encode(file.data).decode(),
    }


def file_from_json(row: JSON) -> File:
    """What `file_to_json` made."""
    return File(
        name=row["name"],
        content_type=row["content_type"],
        description=row["description"],
        data=base64.b64decode(row["data"]),
    )


def for_answer(files: Sequence[File]) -> tuple[File, ...]:
    """Each file once, in the order they came; of too many the latest, asked for last."""
    chosen: list[File] = []
    room = MAX_BYTES
    for file in reversed(list(dict.fromkeys(files))):
        room -= len(file.data)
        if len(chosen) == MAX_FILES or room < 0:
            break
        chosen.append(file)
    return tuple(reversed(chosen))
