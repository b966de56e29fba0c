"""The only messages that may go in clear into an encrypted room: fixed texts, nobody's words.

Pure. Whoever sends builds it here, and whoever lets it pass recognises it here.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from lycatra_appservice.matrix.events import REPLY_MARKER
from lycatra_appservice.model import JSON, RoomID
from lycatra_appservice.words.catalogue import load_catalogue
from lycatra_appservice.words.text import Text

# Kinds in our marker: the notice itself, and the first words in the direct room instead.
ENCRYPTED_ROOM: Final = "encrypted_room"
DIRECT_ROOM: Final = "direct_room"
# Their triggers have stable ids, so that they are found in the room even by an empty database.
ONCE_EVER: Final = frozenset({ENCRYPTED_ROOM, DIRECT_ROOM})


class EncryptedNotice(StrEnum):
    """The texts, by the end of their keys in the catalogue."""

    DIRECT = "direct"
    GROUP = "group"
    ALONE = "alone"


def encrypted_notice(notice: EncryptedNotice, language: str, room_id: RoomID) -> dict[str, JSON]:
    """The whole content of the event: plain text, and our marker."""
    return {
        "msgtype": "m.notice",
        "body": load_catalogue().say(Text(f"encrypted_room_{notice}"), language),
        "m.mentions": {},
        REPLY_MARKER: {"to": room_id, "kind": ENCRYPTED_ROOM, "part": 1, "of": 1},
    }


def is_encrypted_notice(content: Mapping[str, JSON], room_id: RoomID) -> bool:
    """Whether a content is one of ours, letter by letter, in any language of the catalogue."""
    marker = content.get(REPLY_MARKER)
    if not isinstance(marker, Mapping) or marker.get("kind") != ENCRYPTED_ROOM:
        return False
    return any(
        content == encrypted_notice(notice, language.code, room_id)
        for language in load_catalogue().languages
        for notice in EncryptedNotice
    )
