"""What is kept for a room as numbered notes: facts that people told, and reminders they set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from lycatra_appservice.toolkit.base import JSON, KeyValues

_NEXT: Final = "next"


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One of them. `number` is what people say to name it; `at` is when it was told, or is due."""

    number: int
    text: str
    by: str
    at: datetime

    def to_json(self) -> dict[str, JSON]:
        """As it is kept."""
        return {"text": self.text, "by": self.by, "at": self.at.isoformat()}


class Notes:
    """Those of one kind in one room. A number is given once, also by two replicas at a time."""

    def __init__(self, kind: str, values: KeyValues) -> None:
        self._kind = kind
        self._values = values

    async def all(self) -> Sequence[Note]:
        """By their numbers. Raises ToolFailedError when the database is away, as all do."""
        keys = [key for key in await self._values.keys() if self._number_of(key) is not None]
        found = [self._read(key, await self._values.get(key)) for key in keys]
        return sorted((note for note in found if note is not None), key=lambda note: note.number)

    async def add(self, text: str, by: str, at: datetime) -> Note:
        """Keep one more."""
        number = await self._values.change(f"{self._kind}:{_NEXT}", _one_more)
        note = Note(number=number, text=text, by=by, at=at)
        await self._values.put(f"{self._kind}:{number}", note.to_json())
        return note

    async def drop(self, number: int) -> None:
        """Forget one; harmless when it is gone already."""
        await self._values.put(f"{self._kind}:{number}", None)

    def _number_of(self, key: str) -> int | None:
        kind, _, number = key.partition(":")
        return int(number) if kind == self._kind and number.isdecimal() else None

    def _read(self, key: str, kept: JSON) -> Note | None:
        number = self._number_of(key)
        if number is None or not isinstance(kept, Mapping):
            return None  # dropped meanwhile
        at = datetime.fromisoformat(kept["at"])
        return Note(number=number, text=kept["text"], by=kept["by"], at=at)


def _one_more(number: JSON) -> int:
    return number + 1 if isinstance(number, int) else 1
