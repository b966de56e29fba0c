"""A reply as the content of Matrix events: safe HTML, a plain body, its place, its mentions."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Final

from lycatra_appservice.matrix.defuse import clean, defuse, defuse_start
from lycatra_appservice.matrix.markup import is_too_deep, parse, to_html
from lycatra_appservice.matrix.parts import split
from lycatra_appservice.matrix.plain import to_text
from lycatra_appservice.matrix.relation import relation
from lycatra_appservice.matrix.tables import TableLook, as_lists
from lycatra_appservice.model import JSON, Address, Reply
from lycatra_appservice.words.catalogue import in_english
from lycatra_appservice.words.text import Said, Text

MARKER: Final = "org.lycatra.reply"

# A whole event may have 65,536 bytes; encryption makes three bytes four, and the homeserver adds
# its own fields and its signature.
MAX_CONTENT_BYTES: Final = 45_000
MAX_EDIT_BYTES: Final = 22_000  # an edit says everything twice

_MAX_CHARACTERS: Final = 100_000  # some four events; more is a file, not a message
_DEFINITION: Final = re.compile(r"^ {0,3}\[[^\]\n]+\]:[ \t]*\S.*$", re.MULTILINE)
_INVISIBLE: Final = "\u200b\u200c\u200d\u2060\ufeff"


def render_message(
    reply: Reply,
    address: Address,
    marker: Mapping[str, JSON],
    *,
    max_bytes: int = MAX_CONTENT_BYTES,
    tables: TableLook = "table",
    say: Callable[[Said], str] = in_english,
) -> Sequence[dict[str, JSON]]:
    """One or more `m.room.message` contents, in order, each at most `max_bytes` of canonical JSON.

    `marker` holds `to` and `kind`; `part` and `of` are added, where the reply's files count as
    the last parts. Only the first part mentions people and is a reply; all stand in the thread.
    `say` puts texts into words.
    """
    source = clean(say(reply.markdown))
    whole = _Whole(reply, address, marker, tables, say)
    if len(source) <= max_bytes:
        content = whole.content(whole.text(source), 1, 1)
        if encoded_size(content) <= max_bytes:
            return [content]
    return whole.parts(source, max_bytes)


def as_edit(content: Mapping[str, JSON]) -> dict[str, JSON]:
    """The edit that puts `content` in the place of an earlier message and mentions nobody again.

    The relation has no `event_id` yet: the send row names its target. Render the content with
    `max_bytes=MAX_EDIT_BYTES`.
    """
    new = {key: value for key, value in content.items() if key != "m.relates_to"}
    return {
        "msgtype": content["msgtype"],
        "body": f"* {content['body']}",
        "m.new_content": new,
        "m.mentions": {},
        "m.relates_to": {"rel_type": "m.replace"},
        MARKER: content[MARKER],
    }


def encoded_size(content: Mapping[str, JSON]) -> int:
    """Bytes of a content as canonical JSON, the form in which homeservers count."""
    return len(json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode())


class _Whole:
    """One reply while it is cut into parts; link definitions hold for all of them."""

    def __init__(
        self,
        reply: Reply,
        address: Address,
        marker: Mapping[str, JSON],
        tables: TableLook,
        say: Callable[[Said], str],
    ) -> None:
        self._reply = reply
        self._address = address
        self._marker = marker
        self._tables = tables
        self._say = say
        self._empty = say(Text("no_text"))
        self._allowed = frozenset(reply.mentions)
        self._references: dict[str, JSON] = {}
        self._last: tuple[str | None, Mapping[str, JSON]] = (None, {})

    def content(self, text: Mapping[str, JSON], part: int, of: int) -> dict[str, JSON]:
        content: dict[str, JSON] = {
            "msgtype": "m.notice" if self._reply.notice else "m.text",
            **text,
            "m.mentions": self._mentions() if part == 1 else {},
            MARKER: {**self._marker, "part": part, "of": of + len(self._reply.files)},
        }
        related = relation(self._address, part)
        return {**content, "m.relates_to": related} if related else content

    def parts(self, source: str, max_bytes: int) -> list[dict[str, JSON]]:
        kept, left_out = source[:_MAX_CHARACTERS], len(source) - _MAX_CHARACTERS
        parse("\n".join(_DEFINITION.findall(kept)), (), self._references)
        texts = [self.text(part) for part in split(kept, max_bytes, self._size)]
        if left_out > 0:
            texts.append(self.text(self._say(Text("rest_left_out", n=left_out))))
        said = [text for text in texts if text["body"] != self._empty] or texts[:1]
        return [self.content(text, part, len(said)) for part, text in enumerate(said, start=1)]

    def text(self, source: str) -> Mapping[str, JSON]:
        if self._last[0] != source:  # a part is measured, and then used
            self._last = (source, self._text(source))
        return self._last[1]

    def _size(self, source: str) -> int:
        # As the first part, which says most; no reply has more parts than three digits.
        return encoded_size(self.content(self.text(source), 1, 999))

    def _text(self, source: str) -> Mapping[str, JSON]:
        tokens = parse(source, self._allowed, self._references)
        if self._tables == "list":
            tokens = as_lists(tokens)
        if is_too_deep(tokens):
            return {"body": self._body(defuse(source, self._allowed))}
        return {
            "body": self._body(to_text(tokens, self._allowed)),
            "format": "org.matrix.custom.html",
            "formatted_body": to_html(tokens) or f"<p>{escape(self._empty)}</p>",
        }

    def _mentions(self) -> dict[str, JSON]:
        mentions = list(dict.fromkeys(self._reply.mentions))
        return {"user_ids": mentions} if mentions else {}

    def _body(self, text: str) -> str:
        return defuse_start(text) if text.strip().strip(_INVISIBLE) else self._empty
