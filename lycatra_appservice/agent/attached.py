"""How a model reads what goes with a question: marked as data, and shorter where it must be."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, assert_never

from lycatra_appservice.agent.accumulator import storable
from lycatra_appservice.agent.lengths import beginning, size_of
from lycatra_appservice.agent.messages import Attached, AttachedKind, Message, UserMessage
from lycatra_appservice.model import JSON

# What one picture costs in a prompt, about: from 85 tokens to more than a thousand.
IMAGE_CHARS: Final = 1200

_AROUND_CHARS: Final = 40
_NAME_CHARS: Final = 120
_SHORTENED: Final = "\n… the rest was left out, because it does not fit …"
_GAP: Final = r"[\s\u200b-\u200f\u2060\ufeff]*"
# Also in capitals and with spaces: a model reads those as an end, too.
_LIKE_A_MARK: Final = re.compile(
    rf"<(?={_GAP}/?{_GAP}(?:file|quoted|context|tool_result)\b)", re.IGNORECASE
)


def told(message: UserMessage, *, images: bool) -> str:
    """The words with what goes with them, the question last; `images`: pictures are shown."""
    marked = [_marked(each, images=images) for each in message.attached]
    return "\n\n".join([*marked, message.text]).rstrip()


def content_of(message: UserMessage, *, images: bool) -> JSON:
    """The content of a chat-completions message: text, or text and pictures in parts."""
    text = told(message, images=images)
    shown = images_of([message]) if images else []
    if not shown:
        return text
    pictures = [{"type": "image_url", "image_url": {"url": url}} for url in shown]
    return [{"type": "text", "text": text}, *pictures]


def images_of(messages: Sequence[object]) -> list[str]:
    """The data URLs of all pictures that can be shown."""
    return [
        each.image
        for message in messages
        if isinstance(message, UserMessage)
        for each in message.attached
        if each.image is not None
    ]


def without_images(messages: Sequence[Message]) -> list[Message]:
    """The messages as a model reads them that is not shown their pictures."""
    return [
        replace(each, attached=tuple(replace(one, image=None) for one in each.attached))
        if isinstance(each, UserMessage) and each.attached
        else each
        for each in messages
    ]


def quoted(name: str, most_chars: int) -> str:
    """A name that somebody chose, bounded and on one line, recognisable as a quotation."""
    return json.dumps(_unmarked(" ".join(name.split())[:most_chars]), ensure_ascii=False)


def attached_chars(message: UserMessage) -> int:
    """What goes with the words, in characters."""
    return sum(
        _AROUND_CHARS
        + size_of(each.name)
        + size_of(each.text)
        + (IMAGE_CHARS if each.image else 0)
        for each in message.attached
    )


def stubbed(message: UserMessage) -> UserMessage:
    """The message with the names alone of what goes with it."""
    left = tuple(replace(each, text="", image=None) for each in message.attached)
    return replace(message, attached=left)


def clipped(message: UserMessage, max_chars: int) -> UserMessage:
    """The message with the texts that go with it cut to a fair share of so many characters."""
    texts = [each for each in message.attached if each.text]
    if not texts or sum(size_of(each.text) for each in texts) <= max_chars:
        return message
    share = max(max_chars // len(texts) - size_of(_SHORTENED), 0)
    cut = tuple(
        replace(each, text=beginning(each.text, share) + _SHORTENED)
        if size_of(each.text) > share
        else each
        for each in message.attached
    )
    return replace(message, attached=cut)


def _marked(attached: Attached, *, images: bool) -> str:
    name = quoted(attached.name, _NAME_CHARS)
    match attached.kind:
        case AttachedKind.IMAGE:
            seen = "" if images and attached.image else ", which is not shown to you"
            return f"[Picture {name}{seen}]"
        case AttachedKind.FILE:
            tag, mark, what = "file", "name", "File"
        case AttachedKind.QUOTE:
            tag, mark, what = "quoted", "by", "Message by"
        case _:
            assert_never(attached.kind)
    if not attached.text:
        return f"[{what} {name}, left out here]"
    return f"<{tag} {mark}={name}>\n{_unmarked(attached.text)}\n</{tag}>"


def _unmarked(text: str) -> str:
    """The same to a reader, and no beginning or end of any data."""
    return _LIKE_A_MARK.sub("<\\\\", storable(text))
