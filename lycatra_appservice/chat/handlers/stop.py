"""`!stop`: what runs and waits here ends, and one line says so."""

from collections.abc import Sequence

from lycatra_appservice.chat import messages
from lycatra_appservice.chat.compose import Composer
from lycatra_appservice.chat.routes import Control
from lycatra_appservice.chat.stopping import Stopping
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.model import JSON, Inbound, Outgoing, Reply
from lycatra_appservice.turns.turn import Turn


class StopHandler:
    """Runs in the control lane, so that it overtakes what it stops."""

    def __init__(self, stopping: Stopping, composer: Composer) -> None:
        self._stopping = stopping
        self._composer = composer

    async def handle(
        self, route: Control, turn: Turn, inbound: Inbound, room: RoomView
    ) -> Sequence[Outgoing]:
        """Stop the asker's questions, or everybody's for who may."""

        async def stop() -> JSON:
            return await self._stopping.stop_in(inbound.room_id, inbound.thread, inbound.sender)

        stopped = await turn.step("stopped", stop)
        of_all = await self._stopping.may_stop_all(inbound.sender, inbound.room_id)
        said = messages.stopped(stopped, of_all=of_all)
        if await self._stopping.any_goes_on(inbound.room_id, inbound.thread, inbound.sender):
            said = messages.goes_on(said if stopped else None)
        reply = Reply(markdown=said, sender=route.speaker, notice=True)
        return self._composer.answer(reply, inbound, room)
