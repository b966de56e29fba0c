"""The oracle: reads whole rooms by paging and says what was lost, doubled or out of order."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lycatra_appservice.model import JSON

_MARK = "org.lycatra.reply"
_NO_OUTCOME = {"card", "progress", "aside"}  # the answer is still to come, or stands elsewhere
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

    An edit is no outcome, nor is a greeting: it answers an invitation. Every part of an answer
    must be there exactly once.
    """
    invitations = {event["event_id"] for event in events if "state_key" in event}
    parts: Counter[tuple[str, int]] = Counter()
    wanted: dict[str, int] = {}
    finished: list[str] = []
    for event in events:
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


def _mark_of(event: JSON) -> Mapping[str, JSON] | None:
    content = event.get("content") or {}
    relation = content.get("m.relates_to") or {}
    if event.get("type") != "m.room.message" or relation.get("rel_type") == "m.replace":
        return None
    mark = content.get(_MARK)
    if not isinstance(mark, dict) or mark.get("kind") in _NO_OUTCOME:
        return None
    return mark
