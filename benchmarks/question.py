"""What a file of this folder offers: a question, the names of its figures, and how to find out."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from benchmarks.measuring import Figure

REPOSITORY = Path(__file__).resolve().parents[1]


class Postgres(Protocol):
    """The run's database server."""

    def fresh_database(self) -> AbstractAsyncContextManager[str]:
        """Make an empty database; yield its DSN; drop it."""

    async def commits(self, dsn: str) -> int:
        """Count the commits of a database that nobody is connected to any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What the questions of one run share. `folder` is theirs, and goes with the run."""

    postgres: Postgres
    folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One file's constant. `figures` are the names that `measure` answers with, in order."""

    name: str
    figures: Sequence[str]
    measure: Callable[[Bench], Awaitable[Sequence[Figure]]]
