"""What is kept for a room as numbered notes: facts that people told, and reminders they set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from lycatra_appservice.toolkit.base import JSON, Caller, Face, KeyValues, with_question

_NEXT: Final = "next"
_MARK: Final = "#"  # before what `with_question` adds


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One of them. `number` is what people say to name it; `at` is when it was told, or is due.

    `by_model`: a model called the tool for `by`, in words of its own, and may have been misled.
    """

    number: int
    text: str
    by: str
    at: datetime
    by_model: bool = False
    key: str = ""  # where it is kept


class Notes:
    """Those of one kind in one room. A number is given once, also by two replicas at a time.

    Deleting the question that made one erases it. Every method raises ToolFailedError while the
    database is away.
    """

    def __init__(self, kind: str, values: KeyValues) -> None:
        self._kind = kind
        self._values = values

    async def all(self) -> Sequence[Note]:
        """By their numbers."""
        keys = [key for key in await self._values.keys() if self._number_of(key) is not None]
        found = [self._read(key, await self._values.get(key)) for key in keys]
        return sorted((note for note in found if note is not None), key=lambda note: note.number)

    async def add(self, text: str, caller: Caller, at: datetime) -> Note:
        """Keep one more, told by this call."""
        number = await self._values.change(f"{self._kind}:{_NEXT}", _one_more)
        note = Note(
            number=number,
            text=text,
            by=caller.user_id,
            at=at,
            by_model=caller.face is Face.AGENT,
            key=self._key(number, caller),
        )
        await self.keep(note)
        return note

    def is_by(self, note: Note, caller: Caller) -> bool:
        """Whether this very question has made it."""
        return note.key == self._key(note.number, caller)

    async def keep(self, note: Note) -> None:
        """Keep it as it is now, and for as long as if it were new."""
        kept = {"text": note.text, "by": note.by, "at": note.at.isoformat()}
        await self._values.put(note.key, {**kept, "by_model": True} if note.by_model else kept)

    async def drop(self, note: Note) -> None:
        """Forget one; harmless when it is gone already."""
        await self._values.put(note.key, None)

    def _key(self, number: int, caller: Caller) -> str:
        return with_question(f"{self._kind}:{number}", caller)

    def _number_of(self, key: str) -> int | None:
        kind, _, number = key.partition(_MARK)[0].partition(":")
        return int(number) if kind == self._kind and number.isdecimal() else None

    def _read(self, key: str, kept: JSON) -> Note | None:
        number = self._number_of(key)
        if number is None or not isinstance(kept, Mapping):
            return None  # dropped meanwhile
        return Note(
            number=number,
            text=kept["text"],
            by=kept["by"],
            at=datetime.fromisoformat(kept["at"]),
            by_model=bool(kept.get("by_model")),
            key=key,
        )


def _one_more(number: JSON) -> int:
    return number + 1 if isinstance(number, int) else 1
