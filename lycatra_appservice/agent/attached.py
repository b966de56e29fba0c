"""How a model reads what goes with a question: marked as data, and shorter where it must be."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, assert_never

from lycatra_appservice.agent.accumulator import storable
from lycatra_appservice.agent.messages import Attached, AttachedKind, UserMessage
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


def attached_chars(message: UserMessage) -> int:
    """What goes with the words, in characters."""
    return sum(
        _AROUND_CHARS + len(each.name) + len(each.text) + (IMAGE_CHARS if each.image else 0)
        for each in message.attached
    )


def stubbed(message: UserMessage) -> UserMessage:
    """The message with the names alone of what goes with it."""
    left = tuple(replace(each, text="", image=None) for each in message.attached)
    return replace(message, attached=left)


def clipped(message: UserMessage, max_chars: int) -> UserMessage:
    """The message with the texts that go with it cut to a fair share of so many characters."""
    texts = [each for each in message.attached if each.text]
    if not texts or sum(len(each.text) for each in texts) <= max_chars:
        return message
    share = max(max_chars // len(texts) - len(_SHORTENED), 0)
    cut = tuple(
        replace(each, text=each.text[:share] + _SHORTENED) if len(each.text) > share else each
        for each in message.attached
    )
    return replace(message, attached=cut)


def _marked(attached: Attached, *, images: bool) -> str:
    name = json.dumps(" ".join(attached.name.split())[:_NAME_CHARS], ensure_ascii=False)
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
    # The same to a reader, and no end of the data.
    text = _LIKE_A_MARK.sub("<\\\\", storable(attached.text))
    return f"<{tag} {mark}={name}>\n{text}\n</{tag}>"
