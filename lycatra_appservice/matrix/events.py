"""Reading events that anybody may have sent: what does not fit reads as absent. Pure."""

import re
from collections.abc import Mapping
from datetime import timedelta
from html.parser import HTMLParser
from typing import Final, TypeGuard
from urllib.parse import unquote

from lycatra_appservice.model import JSON, EventID, Inbound, RoomID, UserID

REPLY_MARKER: Final = "org.lycatra.reply"
HOPS_MARKER: Final = "org.lycatra.hops"
_MATRIX_TO: Final = re.compile(r"^https://matrix\.to/#/([^/?]+)")
_UNREAD_TAGS: Final = frozenset({"code", "pre", "blockquote", "mx-reply"})
_MAX_ID_BYTES: Final = 255  # client-server API, opaque identifiers


def is_id(value: JSON) -> TypeGuard[str]:
    """Whether a value can be an id: text, neither empty nor too long, without NUL."""
    return (
        isinstance(value, str)
        and 0 < len(value.encode(errors="replace")) <= _MAX_ID_BYTES
        and "\0" not in value
        and value.isprintable()
    )


def mapping(value: JSON) -> Mapping[str, JSON]:
    """The value if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def text(value: JSON) -> str:
    """The value if it is text, else an empty one."""
    return value if isinstance(value, str) else ""


def read_inbound(event: Mapping[str, JSON], age: timedelta) -> Inbound:
    """Read a message event whose ids were checked on the way in.

    An edit is read as its new content, with `replaces` set.
    """
    outer = mapping(event.get("content"))
    relation = mapping(outer.get("m.relates_to"))
    replaced = relation.get("event_id") if relation.get("rel_type") == "m.replace" else None
    content = mapping(outer.get("m.new_content")) if is_id(replaced) else outer
    formatted = text(content.get("formatted_body")) or None
    return Inbound(
        event_id=EventID(event["event_id"]),
        room_id=RoomID(event["room_id"]),
        sender=UserID(event["sender"]),
        msgtype=text(content.get("msgtype")),
        body=_without_fallback(text(content.get("body")), relation),
        formatted_body=formatted,
        age=age,
        mentions=_mentions(content) | _pills(formatted),
        reply_to=_event_id(mapping(relation.get("m.in_reply_to")).get("event_id")),
        thread=_event_id(
            relation.get("event_id") if relation.get("rel_type") == "m.thread" else None
        ),
        replaces=_event_id(replaced),
        hops=_hops(outer.get(HOPS_MARKER)),
    )


def age_of(event: Mapping[str, JSON], pushed_age_ms: int | None, stored_at_ms: int) -> timedelta:
    """How old an event was when it was stored, never below zero.

    `pushed_age_ms` is the homeserver's word at the push; without it the sender's clock is held
    against the database's, never against the start of a process.
    """
    sent = event.get("origin_server_ts")
    if pushed_age_ms is None:
        pushed_age_ms = stored_at_ms - sent if isinstance(sent, int) else 0
    return timedelta(milliseconds=min(max(pushed_age_ms, 0), 10**12))


def is_ours_by_marker(event: Mapping[str, JSON]) -> bool:
    """Whether a Lycatra sent this, ours or another one."""
    return REPLY_MARKER in mapping(event.get("content"))


def _event_id(value: JSON) -> EventID | None:
    return EventID(value) if is_id(value) else None


def _hops(value: JSON) -> int:
    return value if isinstance(value, int) and 0 <= value < 1000 else 0


def _mentions(content: Mapping[str, JSON]) -> frozenset[UserID]:
    named = mapping(content.get("m.mentions")).get("user_ids")
    return (
        frozenset(UserID(each) for each in named if is_id(each))
        if isinstance(named, list)
        else frozenset()
    )


def _without_fallback(body: str, relation: Mapping[str, JSON]) -> str:
    """Drop the quoted lines that older clients put before a reply."""
    if not mapping(relation.get("m.in_reply_to")) or not body.startswith("> "):
        return body
    lines = body.split("\n")
    quoted = 0
    while quoted < len(lines) and lines[quoted].startswith(">"):
        quoted += 1
    if quoted < len(lines) and not lines[quoted]:
        quoted += 1
    return "\n".join(lines[quoted:])


def _pills(formatted: str | None) -> frozenset[UserID]:
    if not formatted or "matrix.to" not in formatted:
        return frozenset()
    reader = _PillReader()
    reader.feed(formatted)
    return frozenset(reader.users)


class _PillReader(HTMLParser):
    """Collects the users that links point to, outside code and quotes."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.users: set[UserID] = set()
        self._unread = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _UNREAD_TAGS:
            self._unread += 1
        elif tag == "a" and not self._unread:
            match = _MATRIX_TO.match(dict(attrs).get("href") or "")
            target = unquote(match.group(1)) if match else ""
            if target.startswith("@") and is_id(target):
                self.users.add(UserID(target))

    def handle_endtag(self, tag: str) -> None:
        if tag in _UNREAD_TAGS and self._unread:
            self._unread -= 1
