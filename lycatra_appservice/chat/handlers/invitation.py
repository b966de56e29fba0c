"""Invitations to our users."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Protocol

from lycatra_appservice.chat import messages
from lycatra_appservice.chat.company import Company
from lycatra_appservice.chat.doorkeeper import Admission, Doorkeeper
from lycatra_appservice.chat.handlers.upgrade import Upgrades, joining
from lycatra_appservice.chat.leaving import Leaving, leave
from lycatra_appservice.matrix.errors import MatrixError
from lycatra_appservice.matrix.functional_members import FunctionalMembers
from lycatra_appservice.matrix.invitations import Invitation, Outcome
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.matrix.rooms import RoomStore
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import JSON, EventID, Outgoing, RoomID, UserID
from lycatra_appservice.turns.turn import Turn
from lycatra_appservice.words.text import Said

logger = logging.getLogger(__name__)

UNKNOWN_USER = "unknown_user"


class Greeter(Protocol):
    """Says hello, or why nobody can be understood there."""

    async def arrived(
        self, turn: Turn, room: RoomView, inviter: UserID, user: UserID
    ) -> Sequence[Outgoing]:
        """Return what to say after one of us has come into a room."""


class DirectLine(Protocol):
    """Reaches a person outside of the room that it is about."""

    async def tell(self, turn: Turn, person: UserID, said: Said) -> Sequence[Outgoing]:
        """Return the rows of one line to this person; nothing where there is no way."""


class InvitationObserver(Protocol):
    """Where the figures go."""

    def invited(self, outcome: str) -> None:
        """One of our names was invited; an `Outcome`, or `unknown_user`."""


class InvitationHandler:
    """Joins where it may and brings others along; leaves with a reason where it may not."""

    def __init__(
        self,
        users: VirtualUsers,
        rooms: RoomStore,
        doorkeeper: Doorkeeper,
        upgrades: Upgrades,
        company: Company,
        functional: FunctionalMembers,
        leaving: Leaving,
        greeter: Greeter,
        direct_line: DirectLine,
        observer: InvitationObserver,
        on_joined: Callable[[], Awaitable[None]],
    ) -> None:
        """`on_joined` has what was said between invitation and join looked for."""
        self._users = users
        self._rooms = rooms
        self._doorkeeper = doorkeeper
        self._upgrades = upgrades
        self._company = company
        self._functional = functional
        self._leaving = leaving
        self._greeter = greeter
        self._direct_line = direct_line
        self._observer = observer
        self._on_joined = on_joined

    async def handle(self, turn: Turn, event: Mapping[str, JSON]) -> Sequence[Outgoing]:
        """Answer an invitation to one of our users."""
        invitation = Invitation(
            event_id=EventID(event["event_id"]),
            room_id=RoomID(event["room_id"]),
            user_id=UserID(event["state_key"]),
            inviter=UserID(event["sender"]),
        )
        where = {"user_id": invitation.user_id, "room_id": invitation.room_id}
        if not self._users.exists(invitation.user_id):
            # Anybody can invite any name of our namespace; acting as it would create that user.
            logger.info("invited_unknown_user", extra=where)
            self._observer.invited(UNKNOWN_USER)
            return ()
        if await turn.step("is_settled", partial(self._is_settled, turn, invitation)):
            return ()
        if self._users.is_ours(invitation.inviter):
            return [joining(invitation.room_id, invitation.user_id, alone=True)]
        admission = await self._admit(turn, invitation, event)
        logger.info("invitation", extra={**where, "outcome": admission.outcome.value})
        if admission.outcome is not Outcome.ACCEPTED:
            return await self._refuse(turn, invitation, admission)
        await turn.send(
            joining(
                invitation.room_id,
                invitation.user_id,
                via=[invitation.server],
                alone=True,
            )
        )
        return await self._settle(turn, invitation, admission)

    async def _is_settled(self, turn: Turn, invitation: Invitation) -> JSON:
        """Whether the user came in by another notice of the same invitation, or was sent away.

        One that was found late may be much older than what became of it.
        """
        room = await self._rooms.known(invitation.room_id)
        if room is None and turn.input.get("via") == "sync":
            room = await self._fresh(invitation)
        if room is None:
            return False
        was_helped = self._users.is_ours(invitation.inviter)
        return invitation.user_id in room.ours or (was_helped and invitation.user_id in room.gone)

    async def _admit(
        self, turn: Turn, invitation: Invitation, event: Mapping[str, JSON]
    ) -> Admission:
        async def admit() -> JSON:
            admission = await self._doorkeeper.admit(invitation, event)
            self._observer.invited(admission.outcome)
            return admission.to_json()

        return Admission.from_json(await turn.step("admit", admit))

    async def _refuse(
        self, turn: Turn, invitation: Invitation, admission: Admission
    ) -> Sequence[Outgoing]:
        reason = self._doorkeeper.reason(admission)
        leaving = leave(invitation.room_id, invitation.user_id, reason)
        if admission.outcome is not Outcome.SPACE or reason is None:
            return [leaving]
        # Clients hardly show why somebody has left a space.
        await turn.send(leaving)
        return await self._direct_line.tell(turn, invitation.inviter, reason)

    async def _settle(
        self, turn: Turn, invitation: Invitation, admission: Admission
    ) -> Sequence[Outgoing]:
        found = await turn.step("look", partial(self._look, turn, invitation, admission))
        user, room_id = invitation.user_id, invitation.room_id
        match found["is"]:
            case "room":
                return await self._greet(turn, invitation, found)
            case "space":
                reason = messages.no_spaces(self._users.main)
                await turn.send(leave(room_id, user, reason))
                return await self._direct_line.tell(turn, invitation.inviter, reason)
            case "no_successor":
                return [leave(room_id, user, messages.refused_invitation())]
            case "deserted":
                return [leave(room_id, user)]
            case "closed":
                return [leave(room_id, user, messages.could_not_join())]
            case _:
                logger.info("joined_in_vain", extra={"room_id": room_id, "user_id": user})
                return ()

    async def _look(self, turn: Turn, invitation: Invitation, admission: Admission) -> JSON:
        """See where we came to; only now the room's own word counts."""
        room = await self._fresh(invitation)
        user = invitation.user_id
        if room is None or user not in room.ours:
            # Sent away at once, perhaps to be invited again: leaving would refuse that.
            came_in = await self._rooms.was_let_in(invitation.room_id, user, turn.trigger_id)
            return {"is": "in_vain" if came_in else "closed"}
        if room.is_space:
            return {"is": "space"}
        continues = room.predecessor if room.predecessor in admission.upgraded_from else None
        if admission.only_as_upgrade and continues is None:
            return {"is": "no_successor"}
        if await self._leaving.when_deserted(room):
            return {"is": "deserted"}
        company: Sequence[UserID] = ()
        if user == self._users.main:
            company = await self._company_into(room, continues, invitation.inviter)
        return {"is": "room", "continues": continues, "company": list(company)}

    async def _company_into(
        self, room: RoomView, continues: RoomID | None, inviter: UserID
    ) -> Sequence[UserID]:
        if continues is None:
            return await self._company.along(room, inviter)
        return await self._upgrades.movers([continues], room)

    async def _greet(
        self, turn: Turn, invitation: Invitation, found: Mapping[str, JSON]
    ) -> Sequence[Outgoing]:
        await self._on_joined()
        room = await self._rooms.view(invitation.room_id, invitation.user_id)
        company = [UserID(user) for user in found["company"]]
        # Before they come, so that one state event does for all.
        await self._functional.add(room, room.ours | set(company))
        for user in company:
            await turn.send(joining(room.room_id, user))
        if found["continues"] is not None:
            await self._rooms.carry_settings_over(RoomID(found["continues"]), room.room_id)
            return ()  # people know us from the old room
        return await self._greeter.arrived(turn, room, invitation.inviter, invitation.user_id)

    async def _fresh(self, invitation: Invitation) -> RoomView | None:
        """The room with its new member; None for one that none of us is in."""
        room = await self._rooms.known(invitation.room_id)
        if room is not None and invitation.user_id in room.ours:
            return room
        await self._rooms.drop(invitation.room_id)
        try:
            return await self._rooms.view(invitation.room_id, invitation.user_id)
        except MatrixError as error:
            if error.outlasted:
                raise
            return None
