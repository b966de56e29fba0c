"""Questions that are made of something else than a pushed message: an edit, a picked choice."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final, TypeAlias

from lycatra_appservice.matrix.events import HOPS_MARKER, is_id, mapping, text
from lycatra_appservice.model import JSON
from lycatra_appservice.turns.records import Trigger

# What a message event that is not pushed but made is to us, and its lane; None for nothing.
# Its age stands in `unsigned`, as pushed. The second value says where it comes from.
AsTrigger: TypeAlias = Callable[[Mapping[str, JSON], str], Trigger | None]

MESSAGE: Final = "m.room.message"
_KEPT: Final = ("type", "event_id", "room_id", "sender", "origin_server_ts")


def reworded(
    original: Mapping[str, JSON], content: Mapping[str, JSON], age: timedelta
) -> Mapping[str, JSON]:
    """The original event as if it had been written so; `age` is that of the new words.

    Thread and reply are those of the original: an edit cannot change them.
    """
    relation = mapping(original.get("content")).get("m.relates_to")
    words = {key: value for key, value in content.items() if key != "m.relates_to"}
    related = {} if relation is None else {"m.relates_to": relation}
    return aged({**original, "content": {**words, **related}}, age)


def aged(event: Mapping[str, JSON], age: timedelta) -> Mapping[str, JSON]:
    """What a question needs of an event, the same however it came to us."""
    kept = {key: event[key] for key in _KEPT if key in event}
    age_ms = round(age / timedelta(milliseconds=1))
    return {**kept, "content": event["content"], "unsigned": {"age": age_ms}}


def new_content(edit: Mapping[str, JSON]) -> Mapping[str, JSON]:
    """What an edit says; also how many bots its conversation has gone through."""
    outer = mapping(edit.get("content"))
    hops = {HOPS_MARKER: outer[HOPS_MARKER]} if HOPS_MARKER in outer else {}
    return {**mapping(outer.get("m.new_content")), **hops}


def present_content(event: Mapping[str, JSON]) -> Mapping[str, JSON]:
    """With the latest edit that is left, which the homeserver tells beside the event."""
    relations = mapping(mapping(event.get("unsigned")).get("m.relations"))
    edit = mapping(relations.get("m.replace"))
    is_edited = bool(mapping(mapping(edit.get("content")).get("m.new_content")))
    return new_content(edit) if is_edited else mapping(event.get("content"))


def is_message(event: Mapping[str, JSON]) -> bool:
    """Whether an event is a message with words that stand: no edit, and not taken back."""
    relation = mapping(mapping(event.get("content")).get("m.relates_to"))
    return (
        event.get("type") == MESSAGE
        and "state_key" not in event
        and is_id(event.get("sender"))
        and bool(mapping(event.get("content")))
        and relation.get("rel_type") != "m.replace"
        and not is_redacted(event)
    )


def is_redacted(event: Mapping[str, JSON]) -> bool:
    """Whether the homeserver says that an event was taken back."""
    return "redacted_because" in mapping(event.get("unsigned"))


def same_words(one: Mapping[str, JSON], other: Mapping[str, JSON]) -> bool:
    """Whether two contents say the same, but for case and spaces."""
    return _spoken(one) == _spoken(other)


def _spoken(content: Mapping[str, JSON]) -> str:
    return " ".join(text(content.get("body")).casefold().split())
