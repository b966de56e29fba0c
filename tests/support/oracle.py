"""The oracle: reads whole rooms by paging and says what was lost, doubled or out of order."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lycatra_appservice.model import JSON

_MARK = "org.lycatra.reply"
_LIVE = "org.matrix.msc4357.live"
# The answer is still to come, or stands elsewhere.
_NO_OUTCOME = {"card", "progress", "aside", "draft"}
_FOUND_INVITATION = "$lycatra-invite-"  # without an event id of its own


@dataclass(frozen=True, slots=True)
class Findings:
    """What is wrong in a room; all empty when every question has its one whole answer."""

    lost: tuple[str, ...]
    doubled: tuple[str, ...]
    disordered: tuple[str, ...]
    unasked: tuple[str, ...]  # answers to what nobody asked

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.lost or self.doubled or self.disordered or self.unasked)


def examine(events: Sequence[JSON], asked: Sequence[str]) -> Findings:
    """Hold a room's whole timeline, oldest first, against the questions of one lane, in order.

    An edit is no outcome, unless it ends a draft, nor is a greeting: it answers an invitation.
    Every part of an answer must be there exactly once.
    """
    invitations = {event["event_id"] for event in events if "state_key" in event}
    parts: Counter[tuple[str, int]] = Counter()
    wanted: dict[str, int] = {}
    finished: list[str] = []
    for event in as_read(events):
        mark = _mark_of(event)
        if mark is None or mark["to"] in invitations or mark["to"].startswith(_FOUND_INVITATION):
            continue
        parts[mark["to"], mark["part"]] += 1
        wanted[mark["to"]] = mark["of"]
        if mark["part"] == mark["of"]:
            finished.append(mark["to"])
    lost = tuple(
        each
        for each in asked
        if each not in wanted or any(not parts[each, n + 1] for n in range(wanted[each]))
    )
    doubled = tuple(sorted({to for (to, _), count in parts.items() if count > 1}))
    order = [each for each in dict.fromkeys(finished) if each in asked]
    expected = [each for each in asked if each in order]
    disordered = tuple(a for a, b in zip(order, expected, strict=True) if a != b)
    unasked = tuple(each for each in wanted if each not in asked)
    return Findings(lost, doubled, disordered, unasked)


def as_read(events: Sequence[JSON]) -> Sequence[JSON]:
    """The events, with each draft that has become an answer where it was finished, as it reads.

    Further edits of it, which put it right, change nothing here.
    """
    drafts = {event["event_id"]: event for event in events if _is_draft(event)}
    found = []
    for event in events:
        original = drafts.get(_relation(event).get("event_id"))
        if event.get("event_id") in drafts:
            continue
        if original is None or _relation(event).get("rel_type") != "m.replace":
            found.append(event)
        elif _LIVE not in event["content"]:
            del drafts[original["event_id"]]
            found.append({**original, "content": _as_edited(original, event)})
    return found


def _is_draft(event: JSON) -> bool:
    is_edit = _relation(event).get("rel_type") == "m.replace"
    return _LIVE in (event.get("content") or {}) and not is_edit


def _as_edited(original: JSON, edit: JSON) -> Mapping[str, JSON]:
    relation = original["content"].get("m.relates_to")
    new = edit["content"]["m.new_content"]
    return {**new, "m.relates_to": relation} if relation else new


def _relation(event: JSON) -> Mapping[str, JSON]:
    return (event.get("content") or {}).get("m.relates_to") or {}


def _mark_of(event: JSON) -> Mapping[str, JSON] | None:
    content = event.get("content") or {}
    relation = content.get("m.relates_to") or {}
    if event.get("type") != "m.room.message" or relation.get("rel_type") == "m.replace":
        return None
    mark = content.get(_MARK)
    if not isinstance(mark, dict) or mark.get("kind") in _NO_OUTCOME:
        return None
    return mark
