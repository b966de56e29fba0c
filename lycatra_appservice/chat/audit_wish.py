"""What somebody wants to see of the audit, read from the words behind `!audit`. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from lycatra_appservice.audit.store import Wanted
from lycatra_appservice.model import UserID

USUAL_ENTRIES: Final = 10  # which a phone shows
MOST_ENTRIES: Final = 50
_LAST: Final = "last"
_MARKS: Final = "`'\"!/?.,;"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditWish:
    """`last`: all about the last request. `person`, as in Wanted, is whole or a beginning."""

    entries: int = USUAL_ENTRIES
    last: bool = False
    person: UserID | None = None
    beginning: str | None = None
    tool: str | None = None

    def within(self, wanted: Wanted) -> Wanted:
        """The same of what may be shown at all, which names neither a tool nor a beginning."""
        return Wanted(
            person=wanted.person or self.person,
            beginning=self.beginning,
            tool=self.tool,
            room_id=wanted.room_id,
        )


def read_audit_wish(words: str, named: Sequence[UserID] = ()) -> AuditWish:
    """Read `last`, a number, `@person` and the words of a tool, in any order.

    `named` are people chosen from the list that clients offer; their names stand in the words,
    too, however they are called.
    """
    entries, last, person, beginning = USUAL_ENTRIES, False, next(iter(named), None), None
    rest: list[str] = []
    for word in (each.strip(_MARKS) for each in words.casefold().split()):
        if word == _LAST:
            last = True
        elif word.isdecimal():
            entries = min(max(int(word[:4]), 1), MOST_ENTRIES)
        elif word.startswith("@") and ":" in word:
            person = UserID(word)
        elif word.startswith("@") and person is None:
            beginning = f"{word}:"
        elif word and not named:
            rest.append(word)
    return AuditWish(
        entries=entries,
        last=last,
        person=person,
        beginning=beginning if person is None else None,
        tool="_".join(rest) or None,
    )
