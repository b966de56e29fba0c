"""A question: the agent answers in prose, with the asker's tools and what was said before."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from lycatra_appservice.agent.loop import Agent, AgentAnswer
from lycatra_appservice.agent.messages import message_from_json, message_to_json
from lycatra_appservice.agent.prompt import Question
from lycatra_appservice.chat import messages
from lycatra_appservice.chat.asides import Asides
from lycatra_appservice.chat.attachments import long_text_in_file
from lycatra_appservice.chat.compose import Composer
from lycatra_appservice.chat.conversation import ConversationStore, conversation_of
from lycatra_appservice.chat.routes import Ask, Control
from lycatra_appservice.chat.typing import TypingNotice
from lycatra_appservice.errors import ModelError
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.model import JSON, Caller, Face, Inbound, Level, Outgoing, Reply
from lycatra_appservice.toolkit.access import Access
from lycatra_appservice.toolkit.registry import Registry
from lycatra_appservice.toolkit.toolbox import Gate
from lycatra_appservice.turns.turn import Turn
from lycatra_appservice.words.text import Text

logger = logging.getLogger(__name__)


_ATTACHED: Final = "{question}\n\n[Attached, and not visible to you: {kind}]"


class AskHandler:
    """Brings the agent and the room together. Without an agent it says that there is none."""

    def __init__(
        self,
        agent: Agent | None,
        gate: Gate,
        registry: Registry,
        access: Access,
        conversations: ConversationStore,
        composer: Composer,
        asides: Asides,
        typing: TypingNotice,
        zone: ZoneInfo,
        now: Callable[[], datetime],
        patience: timedelta,
    ) -> None:
        """`patience` is for a whole answer, tools included."""
        self._agent = agent
        self._gate = gate
        self._registry = registry
        self._access = access
        self._conversations = conversations
        self._composer = composer
        self._asides = asides
        self._typing = typing
        self._zone = zone
        self._now = now
        self._patience = patience

    async def handle(
        self, route: Ask, turn: Turn, inbound: Inbound, room: RoomView
    ) -> Sequence[Outgoing]:
        """Answer a question, or say in one line why there is no answer.

        `inbound` stands in the thread that the answer goes into, which it may begin.
        """
        answer = await self._try(route, turn, inbound, room)
        mentions = () if room.is_direct else (inbound.sender,)
        if not isinstance(answer, AgentAnswer):
            reply = Reply(markdown=answer, sender=route.speaker, mentions=mentions)
            return self._composer.answer(reply, inbound, room)
        # What is said beside an answer stays outside of the file that a long one becomes.
        reply = long_text_in_file(
            Reply(
                markdown=answer.said,
                sender=route.speaker,
                mentions=mentions,
                files=answer.files,
            )
        )
        said = messages.words_alone(reply.markdown) if route.unseen else reply.markdown
        if await self._is_new_to_threads(turn, inbound, room):
            said = messages.with_thread_hint(said)
        return self._composer.answer(replace(reply, markdown=said), inbound, room)

    async def reset(
        self, route: Control, turn: Turn, inbound: Inbound, room: RoomView
    ) -> Sequence[Outgoing]:
        """Begin the conversation anew, for somebody who may ask."""
        said = messages.may_not_ask()
        if self._access.level(inbound.sender) >= Level.VIEWER:
            await self._conversations.reset(
                conversation_of(inbound), turn.trigger_id, run=turn.first_n
            )
            said = messages.was_reset()
        reply = Reply(markdown=said, sender=route.speaker, notice=True)
        return self._composer.answer(reply, inbound, room)

    async def _try(
        self, route: Ask, turn: Turn, inbound: Inbound, room: RoomView
    ) -> AgentAnswer | Text:
        """The answer, or why there is none."""
        if self._access.level(inbound.sender) < Level.VIEWER:
            return messages.may_not_ask()
        if self._agent is None:
            return messages.no_model()
        try:
            async with (
                asyncio.timeout(self._patience.total_seconds()),
                self._typing.shown(inbound.room_id, route.speaker),
            ):
                return await self._answer(self._agent, route, turn, inbound, room)
        except TimeoutError:
            logger.warning("turn_took_too_long", extra={"patience": str(self._patience)})
            return messages.failed(messages.took_too_long(self._patience))
        except ModelError as error:
            logger.warning("model_failed", extra={"error": repr(error)}, exc_info=error)
            return messages.failed(error.said)

    async def _answer(
        self, agent: Agent, route: Ask, turn: Turn, inbound: Inbound, room: RoomView
    ) -> AgentAnswer:
        caller = Caller(
            user_id=inbound.sender,
            face=Face.AGENT,
            room_id=inbound.room_id,
            on_behalf_of_turn=turn.trigger_id,
            run=turn.first_n,
        )
        conversation = conversation_of(inbound)

        async def read_surroundings() -> JSON:
            history = await self._conversations.load(conversation)
            return {
                "now": self._now().isoformat(),
                "history": [message_to_json(message) for message in history],
            }

        # A step: a resumed turn must ask with the very words that its journal answers.
        before = await turn.step("0:surroundings", read_surroundings)
        question = Question(
            text=_with_attachment(route),
            asker=inbound.sender,
            display_name=room.people.get(inbound.sender) or inbound.sender,
            now=datetime.fromisoformat(before["now"]),
            zone=self._zone,
            room_name=None if room.is_direct else room.name,
            history=[message_from_json(row) for row in before["history"]],
            rights=self._access.level(inbound.sender).name.lower(),
            only_namespace=self._about(route.namespace),
        )
        toolbox = self._gate.open(caller, namespace=route.namespace)
        answer = await agent.answer(question, toolbox, turn)
        await self._conversations.append(
            conversation, turn.trigger_id, answer.messages, run=turn.first_n
        )
        return answer

    async def _is_new_to_threads(self, turn: Turn, inbound: Inbound, room: RoomView) -> bool:
        """Whether the answer begins the first thread with this person, who may want a hint."""
        begins_thread = inbound.thread == inbound.event_id
        if not begins_thread or "hints" in self._composer.settings(room).quiet:
            return False
        return await self._asides.how_to_go_on(turn, inbound.sender)

    def _about(self, namespace: str | None) -> str | None:
        found = self._registry.namespace(namespace) if namespace else None
        return f"{found.display_name}: {found.summary}" if found else None


def _with_attachment(route: Ask) -> str:
    if route.unseen is None:
        return route.question
    kind = route.unseen.removeprefix("m.")
    return _ATTACHED.format(question=route.question, kind=kind)
