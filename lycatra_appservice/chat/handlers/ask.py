"""A question: the agent answers in prose, with the asker's tools and what was said before."""

import logging
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from typing import Final

from lycatra_appservice.chat import messages
from lycatra_appservice.chat.answering import Answered, Answering
from lycatra_appservice.chat.asides import Asides
from lycatra_appservice.chat.attachments import long_text_in_file
from lycatra_appservice.chat.compose import Composer
from lycatra_appservice.chat.conversation import ConversationStore, conversation_of
from lycatra_appservice.chat.draft import Draft, Drafts
from lycatra_appservice.chat.private_answers import PrivateAnswers
from lycatra_appservice.chat.routes import Ask, Control
from lycatra_appservice.chat.typing import TypingNotice
from lycatra_appservice.chat.waiting import unhurried
from lycatra_appservice.chat.without_model import Instead, WithoutModel
from lycatra_appservice.errors import ModelError
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.model import Caller, Face, Inbound, LaneKind, Level, Outgoing, Reply
from lycatra_appservice.toolkit.toolbox import Gate
from lycatra_appservice.turns.deadline import Deadline
from lycatra_appservice.turns.turn import Turn
from lycatra_appservice.words.text import Said, Text

logger = logging.getLogger(__name__)

_MOST_UNSEEN: Final = 3  # lines below one answer


class AskHandler:
    """Brings the answer and the room together. Without a model it says that there is none."""

    def __init__(
        self,
        answering: Answering | None,
        gate: Gate,
        conversations: ConversationStore,
        composer: Composer,
        private: PrivateAnswers,
        asides: Asides,
        typing: TypingNotice,
        patience: timedelta,
        drafts: Drafts,
        without_model: WithoutModel,
    ) -> None:
        """`patience` is for a whole answer, tools included."""
        self._answering = answering
        self._gate = gate
        self._conversations = conversations
        self._composer = composer
        self._private = private
        self._asides = asides
        self._typing = typing
        self._patience = patience
        self._drafts = drafts
        self._without_model = without_model

    async def handle(
        self, route: Ask, turn: Turn, inbound: Inbound, room: RoomView
    ) -> Sequence[Outgoing]:
        """Answer a question, or say in one line why there is no answer.

        `inbound` stands in the thread that the answer goes into, which it may begin.
        """
        async with self._drafts.open(turn, inbound, room, route.speaker) as draft:
            answer = await self._try(route, turn, inbound, room, draft)
            max_bytes = await draft.finished()
            rows = await self._rows(answer, route, turn, inbound, room, max_bytes)
            is_private = not isinstance(answer, Text) and answer.is_for_asker_alone
            hides = is_private or await draft.hearing.is_overheard()
            return draft.replaced_by(rows, is_private=hides)

    async def _rows(
        self,
        answer: Answered | Instead | Text,
        route: Ask,
        turn: Turn,
        inbound: Inbound,
        room: RoomView,
        max_bytes: int,
    ) -> Sequence[Outgoing]:
        mentions = () if room.is_direct else (inbound.sender,)
        if isinstance(answer, Instead):
            if answer.is_for_asker_alone:
                return self._private.rows(answer.reply, answer.direct, inbound, room)
            reply = replace(answer.reply, mentions=mentions)
            return self._composer.answer(reply, inbound, room, max_bytes=max_bytes)
        if isinstance(answer, Text):
            reply = Reply(markdown=answer, sender=route.speaker, mentions=mentions)
            return self._composer.answer(reply, inbound, room, max_bytes=max_bytes)
        # What is said beside an answer stays outside of the file that a long one becomes.
        reply = long_text_in_file(
            Reply(
                markdown=answer.given.said,
                sender=route.speaker,
                mentions=mentions,
                files=answer.given.files,
            )
        )
        said = await self._with_remarks(reply.markdown, answer, turn, inbound, room)
        if answer.for_admin is not None:
            said = messages.with_word_to_admin(said, answer.for_admin)
        if answer.is_for_asker_alone:
            alone = replace(reply, markdown=said)
            return self._private.rows(alone, answer.direct, inbound, room)
        if await self._is_new_to_threads(turn, inbound, room):
            said = messages.with_thread_hint(said)
        whole = replace(reply, markdown=said)
        return self._composer.answer(whole, inbound, room, max_bytes=max_bytes)

    async def reset(
        self, route: Control, turn: Turn, inbound: Inbound, room: RoomView
    ) -> Sequence[Outgoing]:
        """Begin the conversation anew, for somebody who may ask."""
        said = messages.may_not_ask()
        toolbox = await self._gate.open(_caller(turn, inbound))
        if toolbox.level >= Level.VIEWER:
            await self._conversations.reset(
                conversation_of(inbound), turn.trigger_id, run=turn.first_n
            )
            said = messages.was_reset()
        reply = Reply(markdown=said, sender=route.speaker, notice=True)
        return self._composer.answer(reply, inbound, room)

    async def _try(
        self, route: Ask, turn: Turn, inbound: Inbound, room: RoomView, draft: Draft
    ) -> Answered | Instead | Text:
        """The answer, or why there is none."""
        toolbox = await self._gate.open(
            _caller(turn, inbound), namespace=route.namespace, progress=draft.progress
        )
        if toolbox.level < Level.VIEWER:
            return messages.may_not_ask()
        if self._answering is None:
            return messages.no_model()
        local_only = self._composer.settings(room).local_only == "on"
        # In the background one call alone may take an hour; people read of its progress.
        is_long = turn.kind is LaneKind.BACKGROUND
        patience = turn.deadline.span if is_long else self._patience
        typing = nullcontext() if is_long else self._typing.shown(inbound.room_id, route.speaker)
        try:
            async with Deadline(patience) as deadline, typing:
                with unhurried(draft.hearing, deadline, turn.deadline) as hearer:
                    answered = await self._answering.answer(
                        toolbox, route, turn, inbound, room, hearer, draft.hearing.keep_private
                    )
        except TimeoutError:
            logger.warning("turn_took_too_long", extra={"patience": str(patience)})
            too_long = messages.took_too_long(patience)
            return await draft.after_words(messages.failed(too_long))
        except ModelError as error:
            logger.warning("model_failed", extra={"error": repr(error)}, exc_info=error)
            instead = await self._without_model.answer(
                error, route, turn, inbound, local_only=local_only
            )
            return await _below(draft, instead)
        await self._without_model.is_back(local_only=local_only)
        return answered

    async def _with_remarks(
        self, said: Said, answer: Answered, turn: Turn, inbound: Inbound, room: RoomView
    ) -> Said:
        """The answer, and what has to be known to trust it."""
        if answer.unseen:
            told = dict.fromkeys((each.reason.value, each.name) for each in answer.unseen)
            said = messages.with_unseen(said, list(told)[:_MOST_UNSEEN])
        if answer.given.forgot and "hints" not in self._composer.settings(room).quiet:
            conversation = conversation_of(inbound)
            begun_by = await self._conversations.begun_by(conversation)
            if await self._asides.was_forgotten(turn, conversation, begun_by):
                said = messages.with_forgotten(said)
        return said

    async def _is_new_to_threads(self, turn: Turn, inbound: Inbound, room: RoomView) -> bool:
        """Whether the answer begins the first thread with this person, who may want a hint."""
        begins_thread = inbound.thread == inbound.event_id
        if not begins_thread or "hints" in self._composer.settings(room).quiet:
            return False
        return await self._asides.how_to_go_on(turn, inbound.sender)


async def _below(draft: Draft, instead: Instead) -> Instead:
    """Under the words that people have read already, if it is said in words."""
    said = instead.reply.markdown
    if not isinstance(said, Text):
        return instead
    return replace(instead, reply=replace(instead.reply, markdown=await draft.after_words(said)))


def _caller(turn: Turn, inbound: Inbound) -> Caller:
    return Caller(
        user_id=inbound.sender,
        face=Face.AGENT,
        room_id=inbound.room_id,
        on_behalf_of_turn=turn.trigger_id,
        run=turn.first_n,
    )
