"""An edit: the question gets its new words, or one line says that it is too late."""

from collections.abc import Sequence
from dataclasses import replace

from lycatra_appservice.chat import messages
from lycatra_appservice.chat.compose import Composer
from lycatra_appservice.chat.rewording import Reworded, Rewording
from lycatra_appservice.chat.unasked import Kind, NoticeStore
from lycatra_appservice.matrix.errors import MatrixError
from lycatra_appservice.matrix.events import REPLY_MARKER, read_inbound
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.matrix.rooms import RoomStore
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import JSON, Inbound, Outgoing, Reply
from lycatra_appservice.turns.revisions import Replaced
from lycatra_appservice.turns.turn import Turn
from lycatra_appservice.words.text import Text


class EditHandler:
    """Says something only where the person would otherwise wait for what never comes."""

    def __init__(
        self,
        users: VirtualUsers,
        rooms: RoomStore,
        rewording: Rewording,
        composer: Composer,
        notices: NoticeStore,
    ) -> None:
        self._users = users
        self._rooms = rooms
        self._rewording = rewording
        self._composer = composer
        self._notices = notices

    async def handle(self, turn: Turn, inbound: Inbound) -> Sequence[Outgoing]:
        """Follow the edit."""
        done = await self._rewording.by_edit(turn, inbound)
        if done is None or not done.is_news:
            return ()
        question = read_inbound(done.question, inbound.age)
        room = await self._room(question)
        said = await self._too_late(turn, done, room) if room is not None else None
        if said is None or room is None:
            return ()
        host = room.host(self._users.main)
        reply = Reply(markdown=said, sender=host, notice=True)
        rows = self._composer.answer(reply, question, room)
        return [_said_to(turn.trigger_id, row) for row in rows]

    async def _room(self, question: Inbound) -> RoomView | None:
        try:
            return await self._rooms.view(question.room_id)
        except MatrixError as error:
            if error.outlasted:
                raise
            return None

    async def _too_late(self, turn: Turn, done: Reworded, room: RoomView) -> Text | None:
        """Once for each question, however often it is edited.

        Somebody waits for it, so it takes nobody's hour; but a room may not want it.
        """
        match done.outcome:
            case Replaced.CHANGE_STARTED:
                said = messages.edited_after_start()
            case Replaced.ANSWERED if Kind.EDITED not in self._composer.settings(room).quiet:
                said = messages.edited_after_answer()
            case _:
                return None
        once = f"edited|{done.question['event_id']}"
        return said if await turn.step("say_once", lambda: self._take(once, turn)) else None

    async def _take(self, once: str, turn: Turn) -> JSON:
        return await self._notices.take_once(once, turn.trigger_id)


def _said_to(edit_id: str, row: Outgoing) -> Outgoing:
    """It hangs on the question, but it is no answer to it."""
    marker = {**row.content[REPLY_MARKER], "to": edit_id}
    return replace(row, content={**row.content, REPLY_MARKER: marker})
