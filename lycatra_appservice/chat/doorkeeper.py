"""Whose invitations are accepted, and what is said to the others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from lycatra_appservice.chat import messages
from lycatra_appservice.chat.handlers.upgrade import Upgrades
from lycatra_appservice.matrix.events import mapping
from lycatra_appservice.matrix.invitations import (
    Decision,
    Invitation,
    InvitationStore,
    Outcome,
)
from lycatra_appservice.matrix.room_facts import is_space, predecessor_of
from lycatra_appservice.matrix.standing import Standing
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import JSON, Level, RoomID
from lycatra_appservice.toolkit.access import Access
from lycatra_appservice.words.text import Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """What was decided, as a turn's journal keeps it.

    `upgraded_from` are rooms of ours that name this one as the one that continues them.
    `only_as_upgrade`: the inviter alone would have been refused.
    """

    outcome: Outcome
    is_repeated: bool = False
    wait: timedelta = timedelta(0)
    upgraded_from: Sequence[RoomID] = ()
    only_as_upgrade: bool = False

    def to_json(self) -> JSON:
        """For the journal."""
        return {
            "outcome": self.outcome.value,
            "is_repeated": self.is_repeated,
            "wait_s": self.wait.total_seconds(),
            "upgraded_from": list(self.upgraded_from),
            "only_as_upgrade": self.only_as_upgrade,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, JSON]) -> Self:
        """From the journal."""
        return cls(
            outcome=Outcome(stored["outcome"]),
            is_repeated=stored["is_repeated"],
            wait=timedelta(seconds=stored["wait_s"]),
            upgraded_from=[RoomID(room) for room in stored["upgraded_from"]],
            only_as_upgrade=stored["only_as_upgrade"],
        )


class Doorkeeper:
    """Deny first; then whoever may look at something may invite, within the limits.

    Into the room that continues one of ours anybody may invite: we were there already.
    """

    def __init__(
        self, users: VirtualUsers, access: Access, store: InvitationStore, upgrades: Upgrades
    ) -> None:
        self._users = users
        self._access = access
        self._store = store
        self._upgrades = upgrades

    async def admit(self, invitation: Invitation, event: Mapping[str, JSON]) -> Admission:
        """Decide, and count it; the same invitation again is decided the same."""
        create = _claimed_create(event)
        level = self._level(invitation)
        may_invite = level >= Level.VIEWER
        upgraded_from: Sequence[RoomID] = ()
        if not self._is_denied(invitation):
            claimed = predecessor_of(create)
            upgraded_from = await self._upgrades.leading_to(
                invitation.room_id, RoomID(claimed) if claimed else None
            )
        refusal: Outcome | None = None
        if not may_invite and not upgraded_from:
            refusal = Outcome.NOT_ALLOWED
        elif invitation.user_id == self._users.sender:
            refusal = Outcome.TECHNICAL
        elif is_space(create):
            refusal = Outcome.SPACE
        decision = await self._store.decide(
            invitation,
            refusal,
            is_exempt=level >= Level.ADMIN,
        )
        return _admission(decision, upgraded_from, only_as_upgrade=not may_invite)

    def reason(self, admission: Admission) -> Text | None:
        """What the refused person reads; None when they have read it within the hour."""
        if admission.is_repeated or admission.outcome is Outcome.ACCEPTED:
            return None
        reasons: Mapping[Outcome, Text] = {
            Outcome.NOT_ALLOWED: messages.refused_invitation(),
            Outcome.TECHNICAL: messages.technical_user(self._users.main),
            Outcome.SPACE: messages.no_spaces(self._users.main),
            Outcome.PERSON_LIMIT: messages.invited_too_often(admission.wait),
            Outcome.SERVER_LIMIT: messages.server_invites_too_often(admission.wait),
            Outcome.ROOM_LIMIT: messages.came_too_often(admission.wait),
        }
        return reasons[admission.outcome]

    def _level(self, invitation: Invitation) -> Level:
        standing = Standing.of_inviter(invitation.room_id)
        return self._access.level(invitation.inviter, standing)

    def _is_denied(self, invitation: Invitation) -> bool:
        standing = Standing.of_inviter(invitation.room_id)
        decisive = self._access.grant(invitation.inviter, standing)
        return decisive is not None and decisive.level is Level.NONE


def _admission(
    decision: Decision, upgraded_from: Sequence[RoomID], *, only_as_upgrade: bool
) -> Admission:
    return Admission(
        outcome=decision.outcome,
        is_repeated=decision.is_repeated,
        wait=decision.wait,
        upgraded_from=upgraded_from,
        only_as_upgrade=only_as_upgrade,
    )


def _claimed_create(event: Mapping[str, JSON]) -> Mapping[str, JSON]:
    """The content of `m.room.create` in the stripped state of an invitation.

    It comes from the inviter's homeserver, which may have made it up: enough to save a join, or
    to know where to look, and never a reason to let somebody in.
    """
    stripped = mapping(event.get("unsigned")).get("invite_room_state")
    for each in stripped if isinstance(stripped, list) else ():
        found = mapping(each)
        if found.get("type") == "m.room.create":
            return mapping(found.get("content"))
    return {}
