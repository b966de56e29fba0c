"""What is remembered of one service's deployments, as one small JSON value; pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from lycatra_appservice.toolkit.base import JSON
from lycatra_appservice.tools.updates._phase import Ended

_MOST_ENTRIES: Final = 30
_MOST_BYTES: Final = 15_000  # a little less than a value may have
_LONGEST_WHY: Final = 300
_MOST_APPROVERS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One deployment; `ended_at` and `ended` are None while it is under way."""

    deployment_id: str
    version: str
    previous: str | None
    is_back: bool
    asked_by: str
    approved_by: Sequence[str]
    began_at: datetime
    ended_at: datetime | None = None
    ended: Ended | None = None
    why: str = ""

    def to_json(self) -> dict[str, JSON]:
        """As it is kept."""
        return {
            "id": self.deployment_id,
            "version": self.version,
            "previous": self.previous,
            "back": self.is_back,
            "asked_by": self.asked_by,
            "approved_by": list(self.approved_by[:_MOST_APPROVERS]),
            "began": self.began_at.isoformat(),
            "ended": self.ended_at.isoformat() if self.ended_at else None,
            "state": self.ended.value if self.ended else None,
            "why": self.why[:_LONGEST_WHY],
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, JSON]) -> "Entry":
        """The entry that `to_json` made this of."""
        return cls(
            deployment_id=kept["id"],
            version=kept["version"],
            previous=kept["previous"],
            is_back=kept["back"],
            asked_by=kept["asked_by"],
            approved_by=tuple(kept["approved_by"]),
            began_at=datetime.fromisoformat(kept["began"]),
            ended_at=datetime.fromisoformat(kept["ended"]) if kept["ended"] else None,
            ended=Ended(kept["state"]) if kept["state"] else None,
            why=kept["why"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UnderWay:
    """The one deployment that may touch the service; it counts until `until`, then it is gone."""

    entry: Entry
    phase: str
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """All that is remembered; `entries` begin with the newest, `good` was well when last seen."""

    entries: Sequence[Entry] = ()
    under_way: UnderWay | None = None
    good: str | None = None

    def current(self, now: datetime) -> UnderWay | None:
        """What is under way, unless it has been left lying."""
        return self.under_way if self.under_way and self.under_way.until > now else None

    def all(self, now: datetime) -> Sequence[Entry]:
        """Every deployment, what is under way first, with the phase that it is in."""
        way = self.under_way
        if way is None:
            return self.entries
        if self.current(now) is not None:
            return [replace(way.entry, why=f"phase: {way.phase}"), *self.entries]
        return [_left_lying(way), *self.entries]

    def settled(self, now: datetime) -> "Book":
        """With what was left lying among the entries, where it would else be overlooked."""
        way = self.under_way
        if way is None or self.current(now) is not None:
            return self
        return replace(self._with(_left_lying(way)), under_way=None)

    @property
    def failing(self) -> str | None:
        """The version that was left where it is although it was not well, or nobody knows."""
        changes = (each for each in self.entries if each.ended is not Ended.NOT_DEPLOYED)
        last = next(changes, None)
        is_bad = last is not None and last.ended in (Ended.NOT_ROLLED_BACK, Ended.UNFINISHED)
        return last.version if last is not None and is_bad else None

    def begun(self, entry: Entry, until: datetime) -> "Book":
        """With this one under way; what was left lying becomes an entry that nobody ended."""
        left = self.under_way
        book = self
        if left is not None and left.entry.deployment_id != entry.deployment_id:
            book = self._with(_left_lying(left))
        return replace(book, under_way=UnderWay(entry=entry, phase="plan", until=until))

    def ended(self, entry: Entry) -> "Book":
        """With this one over; a second time nothing changes."""
        if any(each.deployment_id == entry.deployment_id for each in self.entries):
            return self
        way = self.under_way
        is_ours = way is not None and way.entry.deployment_id == entry.deployment_id
        good = {Ended.KEPT: entry.version, Ended.ROLLED_BACK: entry.previous}.get(
            entry.ended or Ended.UNFINISHED, self.good
        )
        return replace(self._with(entry), under_way=None if is_ours else self.under_way, good=good)

    def version_before(self, version: str | None) -> str | None:
        """What a roll-back from this version goes to; None where nothing is known."""
        for each in self.entries:
            if each.ended is Ended.KEPT and each.version == version and not each.is_back:
                return each.previous
        left = {each.previous for each in self.entries if each.is_back}
        kept = (each.version for each in self.entries if each.ended is Ended.KEPT)
        return next((each for each in kept if each != version and each not in left), None)

    def _with(self, entry: Entry) -> "Book":
        return replace(self, entries=[entry, *self.entries][:_MOST_ENTRIES])


def _left_lying(way: UnderWay) -> Entry:
    why = f"It stopped in the phase: {way.phase}."
    return replace(way.entry, ended=Ended.UNFINISHED, why=why)


def book_to_json(book: Book) -> JSON:
    """As it is kept: the oldest entries go where it would be too large."""
    way = book.under_way
    kept: dict[str, JSON] = {
        "good": book.good,
        "under_way": way
        and {"entry": way.entry.to_json(), "phase": way.phase, "until": way.until.isoformat()},
        "entries": [each.to_json() for each in book.entries],
    }
    while kept["entries"] and len(json.dumps(kept, separators=(",", ":"))) > _MOST_BYTES:
        kept["entries"].pop()
    return kept


def book_from_json(kept: JSON) -> Book:
    """What was kept; an empty one for None.

    Raises ValueError for what this version cannot read, a newer one has written it for example.
    """
    if kept is None:
        return Book()
    try:
        way = kept["under_way"]
        return Book(
            good=kept["good"],
            under_way=way
            and UnderWay(
                entry=Entry.from_json(way["entry"]),
                phase=way["phase"],
                until=datetime.fromisoformat(way["until"]),
            ),
            entries=[Entry.from_json(each) for each in kept["entries"]],
        )
    except (LookupError, TypeError, AttributeError) as exc:
        raise ValueError(f"not what this version remembers of deployments: {exc!r}") from exc
