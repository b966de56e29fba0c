"""How much whom is allowed, by the configuration. Pure."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from lycatra_appservice.model import Level, RoomID, UserID
from lycatra_appservice.settings import Budgets, PersonShare, RoomShare, Share
from lycatra_appservice.settings_types import UNLIMITED

__all__ = ["UNLIMITED", "Allowance", "Kind", "Limits", "Payer", "Refusal"]


class Kind(StrEnum):
    """Which limit was reached."""

    PERSON_TURNS = "person_turns"
    ROOM_TURNS = "room_turns"
    PERSON_TOKENS = "person_tokens"
    ROOM_TOKENS = "room_tokens"
    BOTS = "bots"  # too many answers in a row to somebody who is as quick as a bot

    @property
    def is_of_room(self) -> bool:
        """Whether it holds for everybody in the room."""
        return self in {Kind.ROOM_TURNS, Kind.ROOM_TOKENS}


OF_TOKENS: Final = frozenset({Kind.PERSON_TOKENS, Kind.ROOM_TOKENS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Payer:
    """On whose account something goes: who asked, or who owns the hook, reminder or token."""

    person: UserID
    level: Level
    room_id: RoomID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A limit is reached; `wait` until it is possible again, None: not by waiting."""

    kind: Kind
    limit: int
    wait: timedelta | None


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one person, or one room, may use; UNLIMITED where there is no limit."""

    turns_per_minute: int
    tokens_per_day: int


class Limits:
    """The `budgets` section."""

    def __init__(self, configured: Budgets) -> None:
        self._configured = configured

    @property
    def answers_in_a_row(self) -> int:
        """How many are given at the pace of a bot."""
        return self._configured.answers_in_a_row

    def of_person(self, person: UserID, level: Level) -> Allowance:
        """The person's own section, then the level's, then everybody's: key by key."""
        everybody = self._configured.person
        own = self._configured.people.get(person)
        of_level = {
            Level.VIEWER: self._configured.levels.get("viewer"),
            Level.OPERATOR: self._configured.levels.get("operator"),
            Level.ADMIN: self._configured.levels.get("admin"),
        }.get(level)
        return _merged(everybody, [share for share in (of_level, own) if share is not None])

    def of_room(self) -> Allowance:
        """The same for every room."""
        return _merged(self._configured.room, [])


def _merged(base: PersonShare | RoomShare, narrower: list[Share]) -> Allowance:
    turns, tokens = base.turns_per_minute, base.tokens_per_day
    for share in narrower:
        turns = turns if share.turns_per_minute is None else share.turns_per_minute
        tokens = tokens if share.tokens_per_day is None else share.tokens_per_day
    return Allowance(turns, tokens)
