"""Files that go with an answer: what a tool made, and a text that is too long for a chat."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from lycatra_appservice.chat import messages
from lycatra_appservice.matrix.defuse import clean
from lycatra_appservice.matrix.files import render_file, safe_name, upload_content
from lycatra_appservice.matrix.parts import closed
from lycatra_appservice.matrix.render import MAX_CONTENT_BYTES, render_message
from lycatra_appservice.matrix.tables import TableLook
from lycatra_appservice.model import JSON, Address, File, Outgoing, Reply, RoomID, SendKind
from lycatra_appservice.toolkit.files import in_bytes
from lycatra_appservice.words.text import Said

# Some four screens of a desktop, three messages at most: more would push a room's talk away.
_LONGEST_TEXT: Final = 12_000  # characters
_MOST_LINES: Final = 200
# What of it is shown: enough to see whether the file is worth opening.
_SHOWN_TEXT: Final = 1_500  # characters
_SHOWN_LINES: Final = 15
# A text, and not Markdown by its name: every phone opens it.
_TEXT_TYPE: Final = "text/plain"


def long_text_in_file(reply: Reply) -> Reply:
    """The reply with its Markdown in a file, if that is too long, and a summary in its place.

    The file holds the Markdown as it was to be said, and is the first of the reply's files.
    """
    text = reply.markdown
    if not isinstance(text, str) or not is_long(text):
        return reply
    whole = clean(text).strip("\n") + "\n"
    file = File(
        name=safe_name(f"{reply.subject}.txt"),
        content_type=_TEXT_TYPE,
        data=whole.encode(),
        description="",
    )
    summary = messages.in_a_file(
        name=file.name,
        lines=whole.count("\n"),
        size=in_bytes(len(file.data)),
        beginning=_beginning(whole),
    )
    return replace(reply, markdown=summary, files=(file, *reply.files))


def rows_of(
    reply: Reply,
    address: Address,
    marker: Mapping[str, JSON],
    tables: TableLook,
    say: Callable[[Said], str],
    *,
    max_bytes: int = MAX_CONTENT_BYTES,
) -> Sequence[Outgoing]:
    """The rows of a reply: its text in one or more messages, then every file with its upload.

    `marker` holds `to` and `kind`; `say` puts a text into the asker's words.
    """
    reply = long_text_in_file(replace(reply, markdown=say(reply.markdown)))
    reply = replace(reply, markdown=say(reply.markdown))
    rows = [
        Outgoing(
            kind=SendKind.MESSAGE, room_id=address.room_id, sender=reply.sender, content=content
        )
        for content in render_message(
            reply, address, marker, max_bytes=max_bytes, tables=tables, say=say
        )
    ]
    of = len(rows) + len(reply.files)
    for part, file in enumerate(reply.files, start=len(rows) + 1):
        instead = say(messages.file_not_uploaded(safe_name(file.name)))
        shown = render_file(file, address, {**marker, "part": part, "of": of}, instead)
        rows += _rows(reply, address.room_id, file, shown)
    return rows


def _rows(
    reply: Reply, room_id: RoomID, file: File, shown: Mapping[str, JSON]
) -> tuple[Outgoing, Outgoing]:
    upload = Outgoing(
        kind=SendKind.UPLOAD,
        room_id=room_id,
        sender=reply.sender,
        content=upload_content(file),
        data=file.data,
    )
    message = Outgoing(
        kind=SendKind.MESSAGE, room_id=room_id, sender=reply.sender, content=shown, rows_back=1
    )
    return upload, message


def is_long(text: str) -> bool:
    """Whether it becomes a file."""
    return len(text) > _LONGEST_TEXT or text.count("\n") > _MOST_LINES


def _beginning(text: str) -> str:
    """The first lines, whole ones if the first is not too long itself."""
    shown = text[:_SHOWN_TEXT]
    if len(text) > _SHOWN_TEXT:
        shown = shown.rpartition("\n")[0] or f"{shown}…"
    return closed("\n".join(shown.split("\n")[:_SHOWN_LINES]).rstrip())
