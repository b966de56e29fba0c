"""Following rooms that were upgraded: everybody of ours moves on with the people."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final, TypeAlias

from lycatra_appservice.chat import messages
from lycatra_appservice.chat.leaving import leave
from lycatra_appservice.matrix.errors import MatrixError
from lycatra_appservice.matrix.functional_members import FunctionalMembers
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.matrix.rooms import RoomStore
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import JSON, Outgoing, RoomID, SendKind, UserID
from lycatra_appservice.turns.turn import Turn

logger = logging.getLogger(__name__)

OnMoved: TypeAlias = Callable[[RoomID, RoomID], Awaitable[None]]

_SERVERS: Final = 5  # of the old room's people, any of which may know the new one


class Upgrades:
    """Moves us from a room with a tombstone into the one that it names.

    Only a room that itself says that it continues the old one is a successor: a tombstone may
    point anywhere. The old room is left alone.
    """

    def __init__(
        self,
        users: VirtualUsers,
        rooms: RoomStore,
        functional: FunctionalMembers,
        on_moved: OnMoved,
    ) -> None:
        """`on_moved` is told of the old room and the new one, perhaps more than once."""
        self._users = users
        self._rooms = rooms
        self._functional = functional
        self._on_moved = on_moved

    async def leading_to(self, room_id: RoomID, claimed: RoomID | None = None) -> Sequence[RoomID]:
        """The rooms of ours that were upgraded to this one.

        `claimed` is what an invitation says the old room was: where to look, and no proof.
        """
        known = await self._rooms.rooms_upgraded_to(room_id)
        if known or claimed is None:
            return known
        old = await self._look(claimed)
        return [claimed] if old is not None and old.successor == room_id else ()

    async def movers(self, old_rooms: Sequence[RoomID], new: RoomView) -> Sequence[UserID]:
        """Who of us was in the old rooms, may come into the new one now, and is not there."""
        opens = new.power.may_invite(self._users.main) and self._users.main in new.ours
        if not opens and not new.is_public:
            return ()
        were_there = [room.ours for old in old_rooms if (room := await self._look(old))]
        return self._in_order(frozenset().union(*were_there) - new.ours - new.gone)

    async def follow(self, turn: Turn) -> Sequence[Outgoing]:
        """The job. Where the first of us is not let in, an invitation is waited for."""
        old, new = RoomID(turn.input["room"]), RoomID(turn.input["successor"])
        plan = await turn.step("plan", partial(self._plan, old, new))
        first = plan["first"]
        if first is not None:
            await turn.send(joining(new, first, via=plan["via"], alone=True))
        found = await turn.step("arrive", partial(self._arrive, old, new, first))
        logger.info("upgrade", extra={"room_id": old, "successor": new, "outcome": found["is"]})
        if found["is"] == "no_successor" and first is not None:
            return [leave(new, first, messages.no_successor(old))]
        if found["is"] != "followed":
            return ()
        await self._rooms.carry_settings_over(old, new)
        await self._on_moved(old, new)
        room = await self._rooms.view(new)
        movers = [UserID(user) for user in found["movers"]]
        await self._functional.add(room, room.ours | set(movers))
        for user in movers:
            await turn.send(joining(new, user, via=plan["via"]))
        return ()

    async def _plan(self, old: RoomID, new: RoomID) -> JSON:
        room = await self._look(old)
        if room is None or room.successor != new or await self._look(new) is not None:
            # Who is in the new room already is never made to leave it for a wrong tombstone.
            return {"first": None, "via": []}
        servers = {user.partition(":")[2] for user in room.people} - {self._users.server_name}
        ours = self._in_order(room.ours)
        return {"first": ours[0] if ours else None, "via": sorted(servers)[:_SERVERS]}

    async def _arrive(self, old: RoomID, new: RoomID, first: UserID | None) -> JSON:
        # Known only from before the join, it would lack who has just come.
        if first is not None:
            await self._rooms.drop(new)
        room = await self._look(new, *([first] if first else []))
        if room is None:
            return {"is": "waiting_for_invitation"}
        if room.predecessor != old:
            return {"is": "no_successor"}
        return {"is": "followed", "movers": list(await self.movers([old], room))}

    async def _look(self, room_id: RoomID, *likely: UserID) -> RoomView | None:
        """A room that one of us is in; None for any other."""
        try:
            return await self._rooms.view(room_id, *likely)
        except MatrixError as error:
            if error.outlasted:
                raise
            return None

    def _in_order(self, users: frozenset[UserID]) -> list[UserID]:
        """@lycatra first: it can invite the others."""
        real = [user for user in users if self._users.exists(user)]
        return sorted(real, key=lambda user: (user != self._users.main, user))


def joining(
    room_id: RoomID, user: UserID, *, via: Sequence[str] = (), alone: bool = False
) -> Outgoing:
    """The row that brings one of us in; `alone`: without an invitation by another of us."""
    content: dict[str, JSON] = {}
    if via:
        content["via"] = list(via)
    if alone:
        content["alone"] = True
    return Outgoing(kind=SendKind.JOIN, room_id=room_id, sender=user, content=content)
