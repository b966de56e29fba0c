"""The facts around a message, looked up for the router."""

from dataclasses import replace

from lycatra_appservice.chat.ignored import Ignored
from lycatra_appservice.chat.router import Situation
from lycatra_appservice.chat.threads import ThreadStore
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.matrix.rooms import RoomStore
from lycatra_appservice.model import Caller, Face, Inbound
from lycatra_appservice.toolkit.rights import Rights


class Situations:
    """Asks the database what a message's words alone do not tell."""

    def __init__(
        self, rooms: RoomStore, threads: ThreadStore, ignored: Ignored, rights: Rights
    ) -> None:
        """`ignored` are the bots that the configuration knows."""
        self._rooms = rooms
        self._threads = threads
        self._ignored = ignored
        self._rights = rights

    async def of(self, inbound: Inbound, room: RoomView, at_ms: int) -> Situation:
        """The facts as they were at `at_ms`, when the message was stored.

        Whoever writes in a thread of ours is noted as taking part in it.
        """
        replied_to = await self._rooms.speaker_of(inbound.reply_to)
        if replied_to is not None and inbound.reply_to is not None and inbound.thread is None:
            # By a client without threads: it goes on where that was said.
            thread = await self._threads.of_answer(inbound.reply_to)
            inbound = replace(inbound, thread=thread)
        in_our_thread = await self._rooms.answers_in(inbound.thread)
        others = False
        if in_our_thread and inbound.thread is not None:
            await self._threads.note(inbound.thread, inbound.sender, at_ms)
            others = await self._threads.has_others(inbound.thread, inbound.sender, at_ms)
        return Situation(
            inbound=inbound,
            room=room,
            replied_to=replied_to,
            in_our_thread=in_our_thread,
            others_in_thread=others,
            other_bots=any(self._ignored.covers(person) for person in room.people),
            hidden=await self._rights.hidden_from(self._caller_of(inbound)),
        )

    @staticmethod
    def _caller_of(inbound: Inbound) -> Caller:
        return Caller(user_id=inbound.sender, face=Face.COMMAND, room_id=inbound.room_id)

    async def note_voice(self, inbound: Inbound, at_ms: int) -> None:
        """Whoever asks takes part in the thread that the answer goes into."""
        if inbound.thread is not None:
            await self._threads.note(inbound.thread, inbound.sender, at_ms)
