"""The values that flow between the stages: ids, who asks, what was written, what is sent.

Frozen and without I/O. Ids are the plain strings of the Matrix specification under mautrix'
names; room ids of version 12 have no server part, so no id is ever taken apart for a domain
except a user id.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import IntEnum, StrEnum
from typing import Any, TypeAlias

from mautrix.types import EventID, RoomID, UserID

from lycatra_appservice.words.text import Said

__all__ = [
    "JSON",
    "Address",
    "Caller",
    "EventID",
    "Face",
    "File",
    "Inbound",
    "LaneKind",
    "Level",
    "Outgoing",
    "Reply",
    "RoomID",
    "SendKind",
    "UserID",
]

# What json.loads gives. Any, because its shape is a matter of the sender until it is checked.
JSON: TypeAlias = Any


class Face(StrEnum):
    """The ways in; all of them meet in the same gate."""

    COMMAND = "command"
    AGENT = "agent"
    MCP = "mcp"


class Level(IntEnum):
    """How much a person may do; a higher one includes the lower."""

    NONE = 0
    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3


class LaneKind(StrEnum):
    """Kinds of lanes; each has its own slots and deadline, so that none delays another."""

    CONTROL = "control"
    COMMAND = "command"
    ASK = "ask"
    JOB = "job"
    BACKGROUND = "background"  # what a person asked for and takes long: minutes, not seconds


class SendKind(StrEnum):
    """What a send row does in the room; all of them go out in order of `n`."""

    MESSAGE = "message"
    CARD = "card"  # a message that people vote on, by reactions
    EDIT = "edit"
    REACTION = "reaction"
    REDACTION = "redaction"
    UPLOAD = "upload"
    JOIN = "join"
    LEAVE = "leave"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The person for whom something is done. On every face this is a Matrix user."""

    user_id: UserID
    face: Face
    room_id: RoomID | None = None
    on_behalf_of_turn: str | None = None  # the trigger id, for the audit
    run: int = 0  # of that turn, its first_n: what was asked with other words is another run
    # What is less than the person may: nothing that changes anything …
    reads_only: bool = False
    # … or nobody's account at all, with a viewer's rights; then `user_id` is one of our own.
    is_guest: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """A message of a person, read from an event that may have been malformed."""

    event_id: EventID
    room_id: RoomID
    sender: UserID
    msgtype: str
    body: str  # without the quoted reply fallback
    age: timedelta  # how old the event was when it was stored
    formatted_body: str | None = None
    mentions: frozenset[UserID] = frozenset()  # m.mentions and pills together
    reply_to: EventID | None = None
    thread: EventID | None = None
    replaces: EventID | None = None  # set when this is an edit of that event
    hops: int = 0  # how many bots this conversation has gone through


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where an answer goes, and how it hangs on the question."""

    room_id: RoomID
    reply_to: EventID | None = None
    thread: EventID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """Something to look at or to keep that goes with an answer.

    `description` says in a sentence what is in it, for whoever cannot see it. Name and type are
    wishes: what is sent is made safe, and what is no image by its bytes is not sent as one.
    """

    name: str
    content_type: str
    data: bytes = field(repr=False)
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a handler wants said: Markdown, by whom, and whether it may ring a phone.

    A text of the catalogue becomes words only when the language of the asker is known. `files`
    follow the text; `subject` names the file that a text goes into which is too long for a chat.
    """

    markdown: Said
    sender: UserID
    notice: bool = False  # True: m.notice, which never rings
    mentions: Sequence[UserID] = ()
    files: Sequence[File] = ()
    subject: str = "answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """One thing to do in a room as one of our users, ready for its send row.

    `content` is fixed from the moment the row is written, so that a retry never says something
    else. `target_n` names the earlier row of the same run that an edit, reaction or redaction is
    about, counted from 0; `rows_back` names it, or a message's upload, by how many rows earlier
    it goes out, for who does not know that count: 1 is the row before. A target known by its
    event id stands in `content` instead.
    """

    kind: SendKind
    room_id: RoomID
    sender: UserID
    content: Mapping[str, JSON] = field(default_factory=dict)
    target_n: int | None = None
    rows_back: int | None = None
    data: bytes | None = None
