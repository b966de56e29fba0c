"""A question: the agent answers in prose, with the asker's tools and what was said before."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from lycatra_appservice.agent.loop import Agent
from lycatra_appservice.agent.messages import message_from_json, message_to_json
from lycatra_appservice.agent.prompt import Question
from lycatra_appservice.chat import messages
from lycatra_appservice.chat.compose import Composer
from lycatra_appservice.chat.conversation import ConversationStore, conversation_of
from lycatra_appservice.chat.router import Ask, Reset
from lycatra_appservice.chat.typing import TypingNotice
from lycatra_appservice.errors import ModelError
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.model import JSON, Caller, Face, Inbound, Level, Outgoing, Reply
from lycatra_appservice.toolkit.access import Access
from lycatra_appservice.toolkit.registry import Registry
from lycatra_appservice.toolkit.toolbox import Gate
from lycatra_appservice.turns.turn import Turn
from lycatra_appservice.words.text import Said

logger = logging.getLogger(__name__)


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
        self._typing = typing
        self._zone = zone
        self._now = now
        self._patience = patience

    async def handle(
        self, route: Ask, turn: Turn, inbound: Inbound, room: RoomView
    ) -> Sequence[Outgoing]:
        """Answer a question, or say in one line why there is no answer."""
        said: Said
        if self._access.level(inbound.sender) < Level.VIEWER:
            said = messages.may_not_ask()
        elif self._agent is None:
            said = messages.no_model()
        else:
            try:
                async with (
                    asyncio.timeout(self._patience.total_seconds()),
                    self._typing.shown(inbound.room_id, route.speaker),
                ):
                    said = await self._answer(self._agent, route, turn, inbound, room)
            except TimeoutError:
                logger.warning("turn_took_too_long", extra={"patience": str(self._patience)})
                said = messages.failed(messages.took_too_long(self._patience))
            except ModelError as error:
                logger.warning("model_failed", extra={"error": repr(error)}, exc_info=error)
                said = messages.failed(error.user_message)
        mentions = () if room.is_direct else (inbound.sender,)
        reply = Reply(markdown=said, sender=route.speaker, mentions=mentions)
        return self._composer.answer(reply, inbound, room)

    async def reset(
        self, route: Reset, turn: Turn, inbound: Inbound, room: RoomView
    ) -> Sequence[Outgoing]:
        """Begin the conversation anew, for somebody who may ask."""
        said = messages.may_not_ask()
        if self._access.level(inbound.sender) >= Level.VIEWER:
            await self._conversations.reset(conversation_of(inbound), turn.trigger_id)
            said = messages.was_reset()
        reply = Reply(markdown=said, sender=route.speaker, notice=True)
        return self._composer.answer(reply, inbound, room)

    async def _answer(
        self, agent: Agent, route: Ask, turn: Turn, inbound: Inbound, room: RoomView
    ) -> str:
        caller = Caller(
            user_id=inbound.sender,
            face=Face.AGENT,
            room_id=inbound.room_id,
            on_behalf_of_turn=turn.trigger_id,
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
            text=route.question,
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
        await self._conversations.append(conversation, turn.trigger_id, answer.messages)
        return answer.text

    def _about(self, namespace: str | None) -> str | None:
        found = self._registry.namespace(namespace) if namespace else None
        return f"{found.display_name}: {found.summary}" if found else None
