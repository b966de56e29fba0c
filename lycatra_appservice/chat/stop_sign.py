"""A 🛑 on a question, or on what we show of its answer: it ends, and one line says so."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Protocol

from lycatra_appservice.chat import messages
from lycatra_appservice.chat.compose import Composer
from lycatra_appservice.chat.stopping import Stopping
from lycatra_appservice.matrix.errors import MatrixError
from lycatra_appservice.matrix.events import read_inbound
from lycatra_appservice.matrix.rooms import RoomStore
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import JSON, Address, EventID, Outgoing, Reply, RoomID, UserID
from lycatra_appservice.turns.known import KnownTurn, KnownTurns
from lycatra_appservice.turns.turn import Turn
from lycatra_appservice.words.text import Said


class BegunChanges(Protocol):
    """Who tells people of changes that are not broken off."""

    async def goes_on(self, turn: Turn, trigger_id: str, said: Said) -> Sequence[Outgoing]:
        """Say this, once, if the change that a turn makes has begun."""


class StopSign:
    """Says it where nothing else does: drafts, cards and notes of progress show their own end."""

    def __init__(
        self,
        known: KnownTurns,
        stopping: Stopping,
        changes: BegunChanges,
        users: VirtualUsers,
        rooms: RoomStore,
        composer: Composer,
    ) -> None:
        self._known = known
        self._stopping = stopping
        self._changes = changes
        self._users = users
        self._rooms = rooms
        self._composer = composer

    async def stop(
        self, turn: Turn, reaction: Mapping[str, JSON], stopped: KnownTurn
    ) -> Sequence[Outgoing]:
        """Stop this turn for who has reacted, if he may."""
        room_id, person = RoomID(reaction["room_id"]), UserID(reaction["sender"])

        async def stop() -> JSON:
            is_shown = await self._known.is_shown(stopped.trigger_id)
            has_stopped = await self._stopping.stop_one(stopped, room_id, person)
            return has_stopped and not is_shown

        if await turn.step("stopped", stop):
            return await self._line(turn, room_id, stopped)
        if not await self._stopping.goes_on(stopped, room_id, person):
            return ()
        return await self._changes.goes_on(turn, stopped.trigger_id, messages.goes_on())

    async def _line(self, turn: Turn, room_id: RoomID, stopped: KnownTurn) -> Sequence[Outgoing]:
        try:
            room = await self._rooms.view(room_id)
        except MatrixError as error:
            if error.outlasted:
                raise
            return ()
        question = read_inbound(stopped.input["event"], timedelta(0))
        reply = Reply(
            markdown=messages.stopped(1, of_all=False),
            sender=room.host(self._users.main),
            notice=True,
        )
        address = Address(room_id=room_id, reply_to=question.event_id, thread=question.thread)
        language = self._composer.language(question, room)
        return self._composer.line(reply, address, EventID(turn.trigger_id), language)
