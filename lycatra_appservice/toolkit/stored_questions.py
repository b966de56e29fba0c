"""The questions of the service: asked in the room of the call, answered through any replica."""

import asyncio
import logging
import secrets
from datetime import timedelta
from typing import Final, Protocol

from lycatra_appservice.db.connection import Signals
from lycatra_appservice.errors import LycatraError
from lycatra_appservice.model import Caller, RoomID, UserID
from lycatra_appservice.toolkit.discretion import discreet_value
from lycatra_appservice.toolkit.questions import Answer, Question, Reaction
from lycatra_appservice.toolkit.redaction import Mask
from lycatra_appservice.turns.questions import (
    ANSWER_CHANNEL,
    QuestionOverError,
    QuestionTable,
    StoredQuestion,
)

logger = logging.getLogger(__name__)

_LETTERS: Final = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"  # none that looks like another one
_POLL_SECONDS: Final = 1.0  # a hint may be lost


class DirectRoom(Protocol):
    """Has a direct room with everybody."""

    async def open(self, person: UserID) -> RoomID:
        """The room, with the person in it or invited. Raises LycatraError."""


class StoredQuestions:
    """The `Questions` of the service."""

    def __init__(
        self,
        table: QuestionTable,
        signals: Signals,
        direct: DirectRoom | None = None,
        conceal: Mask = str,
    ) -> None:
        """A call that came from no room, by MCP, is asked about in the `direct` one.

        `conceal` takes the secrets of the configuration out of what a server asks.
        """
        self._conceal = conceal
        self._table = table
        self._direct = direct
        self._waiting: dict[str, asyncio.Event] = {}
        signals.listen(ANSWER_CHANNEL, self._heard)

    async def ask(self, question: Question, caller: Caller, patience: timedelta) -> Answer:
        """Wait so long for the caller's answer; CANCEL without one, or without a room."""
        room_id = await self._room(caller)
        if room_id is None:
            return Answer(reaction=Reaction.CANCEL)
        code = "".join(secrets.choice(_LETTERS) for _ in range(6))
        stored = StoredQuestion(
            code=code,
            namespace=question.namespace,
            tool=question.tool,
            room_id=room_id,
            person=caller.user_id,
            asked_by=caller.on_behalf_of_turn,
            message=self._conceal(question.message),
            form=discreet_value(dict(question.form), self._conceal),
        )
        self._waiting[code] = asyncio.Event()
        try:
            await self._table.put(stored, patience)
            return await self._answer(code, patience)
        finally:
            del self._waiting[code]
            await asyncio.shield(self._table.close(code))

    async def _room(self, caller: Caller) -> RoomID | None:
        if caller.room_id is not None:
            return caller.room_id
        if self._direct is None or caller.is_guest:
            return None
        try:
            return await self._direct.open(caller.user_id)
        except LycatraError as error:
            logger.info("question_without_room", extra={"error": str(error)})
            return None

    async def _answer(self, code: str, patience: timedelta) -> Answer:
        heard = self._waiting[code]
        try:
            async with asyncio.timeout(patience.total_seconds()):
                while True:
                    found = await self._table.answer_of(code)
                    if found is not None:
                        return Answer(
                            reaction=Reaction(found["reaction"]), content=found["content"]
                        )
                    await _heard_or_time(heard)
                    heard.clear()
        except (TimeoutError, QuestionOverError):
            return Answer(reaction=Reaction.CANCEL)

    def _heard(self, code: str) -> None:
        """Without a code it may be any of them."""
        for each, event in self._waiting.items():
            if code in ("", each):
                event.set()


async def _heard_or_time(heard: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(_POLL_SECONDS):
            await heard.wait()
    except TimeoutError:
        return
