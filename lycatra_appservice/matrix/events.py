"""Reading events that anybody may have sent: what does not fit reads as absent. Pure."""

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from html import unescape
from typing import Final, TypeGuard
from urllib.parse import unquote

from lycatra_appservice.model import JSON, EventID, Inbound, RoomID, UserID

WORDS: Final = frozenset({"m.text", "m.emote"})
# What nobody here can look at; its words are its caption.
MEDIA: Final = frozenset({"m.image", "m.file", "m.audio", "m.video", "m.location"})
REPLY_MARKER: Final = "org.lycatra.reply"
HOPS_MARKER: Final = "org.lycatra.hops"
# MSC4357: what has it is still being written; the last edit has it nowhere.
LIVE_MARKER: Final = "org.matrix.msc4357.live"
# Possessive, and never past the next "<": linear, whatever somebody writes.
_TAG: Final = re.compile(r"<(/?)([a-z][a-z0-9-]*+)([^<>]*+)>", re.IGNORECASE)
_HREF: Final = re.compile(r"""(?<![\w-])href=(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)
_USER_LINK: Final = re.compile(r"(?:https://matrix\.to/#/(?:@|%40)|matrix:u/)([^/?]+)")
# How clients mark the quoted lines; a quotation of the person's own begins otherwise.
_FALLBACK: Final = re.compile(r"> (?:\* )?<@[^>\n]+>")
_UNREAD_TAGS: Final = frozenset({"code", "pre", "blockquote", "mx-reply"})
_ANY_TAG: Final = re.compile(r"<[^<>]*+>")
_MAX_ID_BYTES: Final = 255  # client-server API, opaque identifiers


def is_id(value: JSON) -> TypeGuard[str]:
    """Whether a value can be an id: text, neither empty nor too long, without control signs."""
    return (
        isinstance(value, str)
        and value.isprintable()  # neither NUL nor half a surrogate pair
        and 0 < len(value.encode()) <= _MAX_ID_BYTES
    )


def mapping(value: JSON) -> Mapping[str, JSON]:
    """The value if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def text(value: JSON) -> str:
    """The value if it is text, else an empty one."""
    return value if isinstance(value, str) else ""


def read_inbound(event: Mapping[str, JSON], age: timedelta) -> Inbound:
    """Read a message event whose ids were checked on the way in.

    An edit is read as its new content, with `replaces` set. The body of a picture or file is its
    caption, or empty.
    """
    outer = mapping(event.get("content"))
    relation = mapping(outer.get("m.relates_to"))
    replaced = relation.get("event_id") if relation.get("rel_type") == "m.replace" else None
    content = mapping(outer.get("m.new_content")) if is_id(replaced) else outer
    body, formatted = _words_of(content)
    return Inbound(
        event_id=EventID(event["event_id"]),
        room_id=RoomID(event["room_id"]),
        sender=UserID(event["sender"]),
        msgtype=text(content.get("msgtype")),
        body=_without_fallback(body, relation),
        formatted_body=formatted,
        age=age,
        mentions=_mentions(content) | _pills(formatted),
        reply_to=_replied_to(relation),
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


def live_edit_of(event: Mapping[str, JSON]) -> EventID | None:
    """The message that this event puts an unfinished text into; None for all other events."""
    content = mapping(event.get("content"))
    relation = mapping(content.get("m.relates_to"))
    if LIVE_MARKER not in content or relation.get("rel_type") != "m.replace":
        return None
    return _event_id(relation.get("event_id"))


def _words_of(content: Mapping[str, JSON]) -> tuple[str, str | None]:
    """The plain body and the formatted one.

    A picture's body is its file's name, unless `filename` says that name beside it (client-server
    API, media captions).
    """
    body, formatted = text(content.get("body")), text(content.get("formatted_body"))
    if text(content.get("msgtype")) in MEDIA and not _is_caption(body, content):
        return "", None
    if formatted and not body.strip():
        body = " ".join(unescape(_ANY_TAG.sub(" ", formatted)).split())
    return body, formatted or None


def _is_caption(body: str, media: Mapping[str, JSON]) -> bool:
    # A place has no file; its body is a description that the sender's client made.
    name = text(media.get("filename"))
    return bool(name) and name != body and media["msgtype"] != "m.location"


def _event_id(value: JSON) -> EventID | None:
    return EventID(value) if is_id(value) else None


def _replied_to(relation: Mapping[str, JSON]) -> EventID | None:
    """What somebody really replies to.

    In a thread clients name its latest message for those that know no threads, and say so.
    """
    if relation.get("rel_type") == "m.thread" and relation.get("is_falling_back") is True:
        return None
    return _event_id(mapping(relation.get("m.in_reply_to")).get("event_id"))


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
    if not mapping(relation.get("m.in_reply_to")) or not _FALLBACK.match(body):
        return body
    lines = body.split("\n")
    quoted = 0
    while quoted < len(lines) and lines[quoted].startswith(">"):
        quoted += 1
    if quoted < len(lines) and not lines[quoted]:
        quoted += 1
    return "\n".join(lines[quoted:])


def _pills(formatted: str | None) -> frozenset[UserID]:
    """The users that links point to, outside code and quotes.

    Not with html.parser, which raises AssertionError for some of what can be sent.
    """
    return frozenset(_linked_users(formatted)) if formatted else frozenset()


def _linked_users(formatted: str) -> Iterator[UserID]:
    unread = 0
    for closing, tag, attributes in _TAG.findall(formatted):
        name = tag.lower()
        if name in _UNREAD_TAGS:
            unread = max(0, unread - 1) if closing else unread + 1
        elif name == "a" and not unread:
            user = _user_behind(attributes)
            if is_id(user):
                yield UserID(user)


def _user_behind(attributes: str) -> str | None:
    link = _HREF.search(attributes)
    address = unescape(link.group(1) or link.group(2) or "") if link else ""
    found = _USER_LINK.match(address)
    return f"@{unquote(found.group(1))}" if found else None
