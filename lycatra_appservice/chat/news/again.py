"""A card that was not decided in time, and somebody who still wants it: a fresh one."""

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from lycatra_appservice.chat.approvals.card import Shown
from lycatra_appservice.chat.approvals.occasion import Occasion
from lycatra_appservice.chat.news.proposing import Proposed, Proposing
from lycatra_appservice.matrix.rooms import RoomStore
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import (
    JSON,
    EventID,
    Face,
    Inbound,
    LaneKind,
    Outgoing,
    RoomID,
    UserID,
)
from lycatra_appservice.toolkit.registry import Registry
from lycatra_appservice.turns.approvals import Approval, Approvals
from lycatra_appservice.turns.inbox import Inbox
from lycatra_appservice.turns.records import Trigger, lane_of_room
from lycatra_appservice.turns.turn import Turn

AGAIN: Final = "again"  # of the trigger id


class Renewal:
    """Has a request put to people anew, in the name of who wants it now."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    async def ask_for(self, approval: Approval, person: UserID) -> None:
        """However many want it, one card comes of an old one."""
        if approval.card_room is None or not approval.args_hash:
            return
        trigger = Trigger(
            id=f"{AGAIN}:{approval.id}",
            lane=lane_of_room(approval.card_room, LaneKind.COMMAND),
            kind=LaneKind.COMMAND,
            input=json.dumps({"room": approval.card_room, "person": person}),
        )
        await self._inbox.store([trigger])


class AskingAgain:
    """The turn that does it, with the rights of who wants it."""

    def __init__(
        self,
        approvals: Approvals,
        registry: Registry,
        users: VirtualUsers,
        rooms: RoomStore,
        proposing: Proposing,
    ) -> None:
        self._approvals = approvals
        self._registry = registry
        self._users = users
        self._rooms = rooms
        self._proposing = proposing

    async def run(self, turn: Turn) -> Sequence[Outgoing]:
        """The job."""
        old = await self._approvals.get(int(turn.trigger_id.partition(":")[2]))
        about: Mapping[str, JSON] = turn.input
        if old is None or not about or self._registry.tool(old.tool) is None:
            return ()
        shown = Shown.of(old)
        if shown is None:  # it was erased
            return ()
        room = await self._rooms.view(RoomID(about["room"]))
        occasion = Occasion(
            turn=turn,
            inbound=_reaction(old, UserID(about["person"]), room.room_id),
            room=room,
            speaker=self._users.of(self._registry.namespace_of(old.tool).name),
            face=Face.COMMAND,
        )
        proposed = Proposed(tool=old.tool, args=old.args, lifetime=None, news=shown.news)
        return await self._proposing.put(proposed, occasion, by_ourselves=False)


def _reaction(old: Approval, person: UserID, room_id: RoomID) -> Inbound:
    """What stands for the message that was none: it is about the old card."""
    return Inbound(
        event_id=EventID(old.card or ""),
        room_id=room_id,
        sender=person,
        msgtype="m.text",
        body="",
        age=timedelta(0),
    )
