"""How a draft looks, while it is one and when it ends. Pure, but for what the composer says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from lycatra_appservice.chat.attachments import is_long
from lycatra_appservice.chat.compose import Composer
from lycatra_appservice.matrix.events import HOPS_MARKER, LIVE_MARKER, REPLY_MARKER
from lycatra_appservice.matrix.parts import closed
from lycatra_appservice.matrix.render import as_edit
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.model import JSON, Inbound, Outgoing, Reply, SendKind, UserID
from lycatra_appservice.turns.drafts import StandingDraft
from lycatra_appservice.words.text import Said

# Of a content, which an edit says twice and up to twenty edits repeat.
_MOST_BYTES: Final = 14_000
_TEXTS: Final = frozenset({"m.text", "m.notice"})
# In the draft's marker: it shows words of the answer, not what is being done for it.
_HAS_WORDS: Final = "words"


@dataclass(frozen=True, slots=True)
class Saying:
    """What a draft shows: the words of the answer so far, or what is being done for it."""

    said: Said
    is_words: bool = False


def words_so_far(text: str) -> Saying | None:
    """The answer as far as it is written; None when that is nothing, or more than is shown."""
    text = text.strip()
    if not text or is_long(text):
        return None
    has_code = "```" in text or "~~~" in text
    whole = closed(text) if has_code else text  # which costs as much as to render it
    return Saying(whole if whole != text else f"{text} …", is_words=True)


class DraftLook:
    """The contents of the draft of one answer.

    One that rings mentions the asker in its first event, since edits do not ring, and the answer
    takes its place. One that does not is a notice, and the answer a message of its own.
    """

    def __init__(
        self, composer: Composer, inbound: Inbound, room: RoomView, speaker: UserID, *, rings: bool
    ) -> None:
        self._composer = composer
        self._inbound = inbound
        self._room = room
        self._speaker = speaker
        self._rings = rings

    @property
    def language(self) -> str:
        """The language of the fixed texts in it."""
        return self._composer.language(self._inbound, self._room)

    def rows(self, saying: Saying) -> Sequence[Outgoing] | None:
        """What brings the draft into the room, the message last; None when it is too large."""
        rings = self._rings and not self._room.is_direct
        reply = Reply(
            markdown=saying.said,
            sender=self._speaker,
            notice=not self._rings,
            mentions=(self._inbound.sender,) if rings else (),
        )
        rows = self._composer.answer(reply, self._inbound, self._room, max_bytes=_MOST_BYTES)
        if sum(row.kind is SendKind.MESSAGE for row in rows) != 1:
            return None
        *before, message = rows
        marker = {**message.content[REPLY_MARKER], "kind": "draft", _HAS_WORDS: saying.is_words}
        content = {**message.content, REPLY_MARKER: marker, LIVE_MARKER: {}}
        return [*before, replace(message, content=content)]

    def edit(self, message: Outgoing) -> dict[str, JSON]:
        """The same in the place of what the draft says now."""
        return {**_edit(message.content), LIVE_MARKER: {}}

    def last_word(self, said: Said) -> dict[str, JSON]:
        """The edit after which nothing more comes, where the answer will be another message."""
        rows = self.rows(Saying(said))
        if rows is None:
            raise AssertionError("a fixed text is short")
        return _edit(finished(rows[-1].content))

    def with_answer(
        self, rows: Sequence[Outgoing], draft: StandingDraft, *, hides: bool
    ) -> Sequence[Outgoing]:
        """The rows of an answer with its first message in the draft's place.

        `hides`: not everybody may read what the draft has said, so that all of it is redacted.
        """
        if draft.is_redacted:
            return rows
        if hides:
            return [*rows, *(_redaction(draft, n) for n in draft.events)]
        place = next((at for at, row in enumerate(rows) if _can_replace(row, draft)), None)
        if place is None or not self._rings:
            return [*rows, _redaction(draft, draft.n)]
        content = {**rows[place].content, "msgtype": "m.text"}
        edit = replace(rows[place], kind=SendKind.EDIT, content=_edit(content), target_n=draft.n)
        return [*rows[:place], edit, *rows[place + 1 :]]


def finished(content: Mapping[str, JSON]) -> dict[str, JSON]:
    """The content without the sign that somebody is still writing it."""
    return {key: value for key, value in content.items() if key != LIVE_MARKER}


def shows_words(content: Mapping[str, JSON]) -> bool:
    """Whether a draft shows a beginning of the answer."""
    marker = content.get(REPLY_MARKER)
    return isinstance(marker, Mapping) and marker.get(_HAS_WORDS) is True


def with_last_word(
    shown: Mapping[str, JSON], said: Mapping[str, JSON], *, keeps_words: bool
) -> dict[str, JSON]:
    """The edit that says `said` instead of what a draft shows; both are contents of messages.

    With `keeps_words` the words of the answer that it shows, if any, stay above.
    """
    content = {**finished(shown), **_words(said)}
    if keeps_words and shows_words(shown):
        content["body"] = f"{shown['body']}\n\n{said['body']}"
        if "formatted_body" in shown:
            html = said.get("formatted_body", said["body"])
            content["formatted_body"] = f"{shown['formatted_body']}\n{html}"
        else:
            content = {key: content[key] for key in content if "format" not in key}
    return _edit(content)


def _words(content: Mapping[str, JSON]) -> dict[str, JSON]:
    words = ("body", "format", "formatted_body")
    return {key: content[key] for key in words if key in content}


def _edit(content: Mapping[str, JSON]) -> dict[str, JSON]:
    return {**as_edit(content), HOPS_MARKER: content.get(HOPS_MARKER, 1)}


def _can_replace(row: Outgoing, draft: StandingDraft) -> bool:
    return (
        row.kind is SendKind.MESSAGE
        and (row.room_id, row.sender) == (draft.room_id, draft.sender)
        and row.content.get("msgtype") in _TEXTS
    )


def _redaction(draft: StandingDraft, n: int) -> Outgoing:
    return Outgoing(
        kind=SendKind.REDACTION, room_id=draft.room_id, sender=draft.sender, target_n=n
    )
