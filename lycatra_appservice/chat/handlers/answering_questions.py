"""`!answer`: what a person says to a question of an MCP server."""

from collections.abc import Sequence

from lycatra_appservice.chat import messages
from lycatra_appservice.chat.compose import Composer
from lycatra_appservice.chat.question_form import UnfitError, example_of, read_answer
from lycatra_appservice.chat.routes import Control
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.model import JSON, Inbound, Outgoing, Reply, RoomID
from lycatra_appservice.toolkit.questions import Reaction
from lycatra_appservice.turns.questions import QuestionTable, StoredQuestion
from lycatra_appservice.turns.turn import Turn
from lycatra_appservice.words.text import Said, said_from_json, said_to_json


class AnsweringHandler:
    """Takes it from nobody but who was asked."""

    def __init__(self, table: QuestionTable, composer: Composer) -> None:
        self._table = table
        self._composer = composer

    async def handle(
        self, route: Control, turn: Turn, inbound: Inbound, room: RoomView
    ) -> Sequence[Outgoing]:
        """Pass the answer on, and say what it came to."""

        async def answer() -> JSON:
            return said_to_json(await self._answered(route.rest, inbound, room.room_id))

        # A turn that is run again must not call its own answer too late.
        said = said_from_json(await turn.step("answer", answer))
        reply = Reply(markdown=said, sender=route.speaker, notice=True)
        return self._composer.answer(reply, inbound, room)

    async def _answered(self, words: str, inbound: Inbound, room_id: RoomID) -> Said:
        waiting = await self._table.open_in(room_id)
        if not waiting:
            return messages.question_none()
        code, rest = _code_in(words, waiting)
        meant = [each for each in waiting if code in (None, each.code)]
        own = [each for each in meant if each.person == inbound.sender]
        if not own:
            return messages.question_of_another(meant[0].person)
        if len(own) > 1:
            return messages.question_which([each.code for each in own])
        return await self._give(own[0], rest, inbound)

    async def _give(self, question: StoredQuestion, words: str, inbound: Inbound) -> Said:
        try:
            written = read_answer(words, question.form)
        except UnfitError as unfit:
            fields = unfit.fields or list(question.form.get("properties", {}))
            return messages.question_unfit(fields, example_of(question.form))
        if not await self._table.answer(question.code, inbound.sender, written.to_json()):
            return messages.question_none()
        if written.reaction is Reaction.DECLINE:
            return messages.question_declined(question.namespace)
        return messages.question_passed_on(question.namespace)


def _code_in(words: str, waiting: Sequence[StoredQuestion]) -> tuple[str | None, str]:
    first, _, rest = words.partition(" ")
    codes = {each.code for each in waiting}
    return (first.upper(), rest.strip()) if first.upper() in codes else (None, words)
