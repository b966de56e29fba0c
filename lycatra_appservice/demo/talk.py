"""Reading what was said in a room, and showing it as `name: text`; pure."""

from dataclasses import dataclass

from lycatra_appservice.model import JSON

_MARK = "org.lycatra.reply"
_LIVE = "org.matrix.msc4357.live"
_INDENT = "  "


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyMark:
    """What an event of the appservice answers: `part` of `of`, counted from 1."""

    to: str
    part: int
    of: int
    kind: str

    @property
    def is_outcome(self) -> bool:
        """Whether nothing more comes by itself: a card waits for somebody."""
        return self.part == self.of and self.kind in ("message", "reaction", "card", "news")

    @property
    def is_card(self) -> bool:
        """Whether somebody is asked to approve something."""
        return self.kind == "card"


class Outcomes:
    """Reads the marks of a room's events, in order: what ends a draft is an answer, too."""

    def __init__(self) -> None:
        self._drafts: set[str] = set()

    def mark_of(self, event: JSON) -> ReplyMark | None:
        """The mark of an answer; None for everything else, edits of finished ones among them."""
        original = edited_event(event)
        if original is not None:
            is_last = original in self._drafts and not is_live(event)
            return _mark_in(event) if is_last else None
        if is_live(event):
            self._drafts.add(str(event.get("event_id", "")))
        return reply_mark(event)


def is_live(event: JSON) -> bool:
    """Whether somebody is still writing what this says."""
    return _LIVE in _content(event)


def reply_mark(event: JSON) -> ReplyMark | None:
    """The mark of an answer; None for everything else, edits of an answer among them."""
    return None if edited_event(event) is not None else _mark_in(event)


def _mark_in(event: JSON) -> ReplyMark | None:
    mark = _content(event).get(_MARK)
    if not isinstance(mark, dict):
        return None
    to, part, of = mark.get("to"), mark.get("part"), mark.get("of")
    if isinstance(to, str) and isinstance(part, int) and isinstance(of, int):
        return ReplyMark(to=to, part=part, of=of, kind=str(mark.get("kind", "message")))
    return None


def edited_event(event: JSON) -> str | None:
    """The id of the event that this one replaces."""
    relation = _content(event).get("m.relates_to")
    if isinstance(relation, dict) and relation.get("rel_type") == "m.replace":
        return str(relation.get("event_id", ""))
    return None


def message_text(event: JSON) -> str | None:
    """What a message says, the new text for an edit, a reaction that is an answer: its emoji.

    None for all other events.
    """
    content = _content(event)
    if event.get("type") == "m.reaction":
        mark = reply_mark(event)
        if mark is None or mark.kind != "reaction":
            return None  # offered for picking
        key = content.get("m.relates_to", {}).get("key")
        return key if isinstance(key, str) else None
    if event.get("type") != "m.room.message":
        return None
    body = content.get("body")
    if edited_event(event) is not None:
        new = content.get("m.new_content")
        body = new.get("body") if isinstance(new, dict) else body
    return body if isinstance(body, str) else None


def localpart_of(event: JSON) -> str:
    """Who said it, without `@` and server."""
    return str(event.get("sender", "")).lstrip("@").split(":", 1)[0]


def spoken(name: str, text: str) -> str:
    """`name: text`, later lines indented; safe for a terminal."""
    return f"{name}: {printable(text)}"


def to_somebody(line: str, localpart: str) -> str:
    """The line as it is sent: one that begins with no name and no command is for `@localpart`.

    In a group only who is named answers, and whoever tries the demo has nobody else to talk to.
    """
    begins_so = line.lstrip().casefold().startswith(("!", "/", "@", localpart.casefold()))
    return line if begins_so else f"@{localpart} {line}"


def printable(text: str) -> str:
    """Without control characters, which could take over a terminal; later lines indented."""
    first, *later = text.strip().splitlines() or [""]
    return "\n".join((_clean(first), *((_INDENT + _clean(line)).rstrip() for line in later)))


def _clean(line: str) -> str:
    return "".join(letter for letter in line if letter.isprintable() or letter == "\t")


def _content(event: JSON) -> dict[str, JSON]:
    content = event.get("content")
    return content if isinstance(content, dict) else {}
