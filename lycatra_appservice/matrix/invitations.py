"""Invitations and what became of them: how many were accepted, and who has read why not."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final, Protocol

from lycatra_appservice.db.connection import Connection, Database
from lycatra_appservice.db.statements import Statements
from lycatra_appservice.model import EventID, RoomID, UserID
from lycatra_appservice.turns.store import milliseconds

_WINDOW: Final = timedelta(hours=1)  # what the limits count, and how long a reason is remembered
_KEPT: Final = timedelta(days=1)  # longer than the window, for an operator who asks who it was


class Outcome(StrEnum):
    """What becomes of an invitation."""

    ACCEPTED = "accepted"
    NOT_ALLOWED = "not_allowed"
    TECHNICAL = "technical"
    SPACE = "space"
    PERSON_LIMIT = "person_limit"
    SERVER_LIMIT = "server_limit"
    ROOM_LIMIT = "room_limit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """Somebody asks one of our users in."""

    event_id: EventID
    room_id: RoomID
    user_id: UserID
    inviter: UserID

    @property
    def server(self) -> str:
        """The inviter's homeserver."""
        return self.inviter.partition(":")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What becomes of one invitation."""

    outcome: Outcome
    is_repeated: bool = False  # a refusal that this person has read within the hour
    wait: timedelta = timedelta(0)  # until a limit lets somebody in again


class Limits(Protocol):
    """The `invitations` section of the configuration."""

    @property
    def per_person_and_hour(self) -> int:
        """Of one person."""

    @property
    def per_server_and_hour(self) -> int:
        """Of all people of another homeserver."""

    @property
    def per_room_and_hour(self) -> int:
        """Of one of our users into one room."""


class InvitationStore:
    """The invitation table. Counting and deciding is one transaction for the whole deployment."""

    def __init__(self, database: Database, limits: Limits, own_server: str) -> None:
        self._database = database
        self._sql = Statements.load(__package__, "invitations", database.dialect)
        self._limits = limits
        self._own_server = own_server

    async def decide(
        self, invitation: Invitation, refusal: Outcome | None, *, is_exempt: bool
    ) -> Decision:
        """Refuse, or accept within the limits; the same invitation again is decided the same.

        `is_exempt`: only the limit of the room holds for this person.
        """
        async with self._database.transaction() as connection:
            await connection.execute(self._sql["one_at_a_time"])
            known = await connection.fetch_one(
                self._sql["known_invitation"], event_id=invitation.event_id
            )
            if known is not None:
                return await self._told(connection, invitation, Outcome(known["outcome"]))
            decision = Decision(outcome=refusal or Outcome.ACCEPTED)
            if refusal is None:
                decision = await self._within_limits(connection, invitation, is_exempt=is_exempt)
            await connection.execute(
                self._sql["put_invitation"],
                event_id=invitation.event_id,
                room=invitation.room_id,
                user_id=invitation.user_id,
                inviter=invitation.inviter,
                server=invitation.server,
                outcome=decision.outcome.value,
            )
            return await self._told(connection, invitation, decision.outcome, decision.wait)

    async def forget(self) -> None:
        """Erase what no limit needs any more."""
        await self._database.execute(self._sql["forget_invitations"], keep_ms=milliseconds(_KEPT))

    async def _within_limits(
        self, connection: Connection, invitation: Invitation, *, is_exempt: bool
    ) -> Decision:
        limits = self._limits
        checks: list[tuple[Outcome, str, int, Mapping[str, str]]] = [
            (
                Outcome.ROOM_LIMIT,
                "wait_for_room",
                limits.per_room_and_hour,
                {"room": invitation.room_id, "user_id": invitation.user_id},
            )
        ]
        if not is_exempt:
            person = {"inviter": invitation.inviter}
            checks.append(
                (Outcome.PERSON_LIMIT, "wait_for_person", limits.per_person_and_hour, person)
            )
        if not is_exempt and invitation.server != self._own_server:
            server = {"server": invitation.server}
            checks.append(
                (Outcome.SERVER_LIMIT, "wait_for_server", limits.per_server_and_hour, server)
            )
        for outcome, statement, limit, whose in checks:
            row = await connection.fetch_one(
                self._sql[statement],
                window_ms=milliseconds(_WINDOW),
                others=limit - 1,
                **whose,
            )
            if row is not None:
                return Decision(outcome=outcome, wait=timedelta(milliseconds=row["wait_ms"]))
        return Decision(outcome=Outcome.ACCEPTED)

    async def _told(
        self,
        connection: Connection,
        invitation: Invitation,
        outcome: Outcome,
        wait: timedelta = timedelta(0),
    ) -> Decision:
        if outcome is Outcome.ACCEPTED:
            return Decision(outcome=outcome)
        earlier = await connection.fetch_one(
            self._sql["was_refused_lately"],
            inviter=invitation.inviter,
            outcome=outcome.value,
            event_id=invitation.event_id,
            window_ms=milliseconds(_WINDOW),
        )
        return Decision(outcome=outcome, is_repeated=earlier is not None, wait=wait)
