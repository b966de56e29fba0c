"""Invitations to our users."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

from lycatra_appservice.chat import messages
from lycatra_appservice.matrix.errors import MatrixError
from lycatra_appservice.matrix.rooms import RoomStore
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import JSON, Level, Outgoing, RoomID, SendKind, UserID
from lycatra_appservice.toolkit.access import Access
from lycatra_appservice.turns.turn import Turn
from lycatra_appservice.words.catalogue import in_english
from lycatra_appservice.words.text import Text

logger = logging.getLogger(__name__)


class InvitationHandler:
    """Joins where it may, leaves with a reason where not."""

    def __init__(
        self,
        users: VirtualUsers,
        rooms: RoomStore,
        access: Access,
        on_joined: Callable[[], Awaitable[None]],
    ) -> None:
        """`on_joined` has what was said between invitation and join looked for."""
        self._users = users
        self._rooms = rooms
        self._access = access
        self._on_joined = on_joined

    async def handle(self, turn: Turn, event: Mapping[str, JSON]) -> Sequence[Outgoing]:
        """Answer an invitation to one of our users."""
        user, inviter = UserID(event["state_key"]), UserID(event["sender"])
        room_id = RoomID(event["room_id"])
        if not self._users.exists(user):
            # Anybody can invite any name of our namespace; acting as it would create that user.
            logger.info("invited_unknown_user", extra={"user_id": user, "room_id": room_id})
            return ()
        refusal = self._refusal(user, inviter)
        if refusal is not None:
            reason = {"reason": in_english(refusal)}
            return [Outgoing(kind=SendKind.LEAVE, room_id=room_id, sender=user, content=reason)]
        await turn.send(Outgoing(kind=SendKind.JOIN, room_id=room_id, sender=user))
        try:
            await self._rooms.view(room_id, user)
        except MatrixError as error:
            if error.outlasted:
                raise
            logger.info("joined_in_vain", extra={"room_id": room_id, "errcode": error.errcode})
        else:
            await self._on_joined()
        return ()

    def _refusal(self, user: UserID, inviter: UserID) -> Text | None:
        if user == self._users.sender:
            return messages.technical_user(self._users.main)
        if self._users.is_ours(inviter):
            return None  # @lycatra brings its virtual users along
        if self._access.level(inviter) < Level.VIEWER:
            return messages.refused_invitation()
        return None
