"""A question: the agent answers in prose, with the asker's tools and what was said before."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from lycatra_appservice.agent.loop import Agent, AgentAnswer, ModelWish
from lycatra_appservice.agent.messages import message_from_json, message_to_json
from lycatra_appservice.agent.prompt import Question
from lycatra_appservice.chat import messages
from lycatra_appservice.chat.approvals.asking_toolbox import AskingToolbox
from lycatra_appservice.chat.approvals.desk import ApprovalDesk
from lycatra_appservice.chat.approvals.occasion import Occasion
from lycatra_appservice.chat.approvals.settling import Settling
from lycatra_appservice.chat.asides import Asides
from lycatra_appservice.chat.attachments import long_text_in_file
from lycatra_appservice.chat.compose import Composer
from lycatra_appservice.chat.conversation import ConversationStore, conversation_of
from lycatra_appservice.chat.memory import SURROUNDINGS, called_in, recall
from lycatra_appservice.chat.private_answers import PrivateAnswers
from lycatra_appservice.chat.progress import ProgressNotices
from lycatra_appservice.chat.routes import Ask, Control
from lycatra_appservice.chat.typing import TypingNotice
from lycatra_appservice.errors import ModelError
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.model import JSON, Caller, Face, Inbound, Level, Outgoing, Reply, RoomID
from lycatra_appservice.toolkit.registry import Registry
from lycatra_appservice.toolkit.toolbox import Gate, Toolbox
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
        conversations: ConversationStore,
        composer: Composer,
        private: PrivateAnswers,
        asides: Asides,
        typing: TypingNotice,
        zone: ZoneInfo,
        now: Callable[[], datetime],
        patience: timedelta,
        desk: ApprovalDesk,
        settling: Settling,
        notices: ProgressNotices,
    ) -> None:
        """`patience` is for a whole answer, tools included."""
        self._agent = agent
        self._gate = gate
        self._registry = registry
        self._conversations = conversations
        self._composer = composer
        self._private = private
        self._asides = asides
        self._typing = typing
        self._zone = zone
        self._now = now
        self._patience = patience
        self._desk = desk
        self._settling = settling
        self._notices = notices

    async def handle(
        self, route: Ask, turn: Turn, inbound: Inbound, room: RoomView
    ) -> Sequence[Outgoing]:
        """Answer a question, or say in one line why there is no answer.

        `inbound` stands in the thread that the answer goes into, which it may begin.
        """
        answer = await self._try(route, turn, inbound, room)
        mentions = () if room.is_direct else (inbound.sender,)
        if not isinstance(answer, _Answered):
            reply = Reply(markdown=answer, sender=route.speaker, mentions=mentions)
            return self._composer.answer(reply, inbound, room)
        # What is said beside an answer stays outside of the file that a long one becomes.
        reply = long_text_in_file(
            Reply(
                markdown=answer.given.said,
                sender=route.speaker,
                mentions=mentions,
                files=answer.given.files,
            )
        )
        said = messages.words_alone(reply.markdown) if route.unseen else reply.markdown
        if answer.is_for_asker_alone:
            alone = replace(reply, markdown=said)
            return self._private.rows(alone, answer.direct, inbound, room)
        if await self._is_new_to_threads(turn, inbound, room):
            said = messages.with_thread_hint(said)
        return self._composer.answer(replace(reply, markdown=said), inbound, room)

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
        self, route: Ask, turn: Turn, inbound: Inbound, room: RoomView
    ) -> "_Answered | Text":
        """The answer, or why there is none."""
        async with self._notices.open(turn, inbound, room, route.speaker) as notice:
            toolbox = await self._gate.open(
                _caller(turn, inbound), namespace=route.namespace, progress=notice.during
            )
            return await self._try_with(toolbox, route, turn, inbound, room)

    async def _try_with(
        self, toolbox: Toolbox, route: Ask, turn: Turn, inbound: Inbound, room: RoomView
    ) -> "_Answered | Text":
        if toolbox.level < Level.VIEWER:
            return messages.may_not_ask()
        if self._agent is None:
            return messages.no_model()
        try:
            async with (
                asyncio.timeout(self._patience.total_seconds()),
                self._typing.shown(inbound.room_id, route.speaker),
            ):
                return await self._answer(self._agent, toolbox, route, turn, inbound, room)
        except TimeoutError:
            logger.warning("turn_took_too_long", extra={"patience": str(self._patience)})
            return messages.failed(messages.took_too_long(self._patience))
        except ModelError as error:
            logger.warning("model_failed", extra={"error": repr(error)}, exc_info=error)
            return messages.failed(error.said)

    async def _answer(
        self,
        agent: Agent,
        toolbox: Toolbox,
        route: Ask,
        turn: Turn,
        inbound: Inbound,
        room: RoomView,
    ) -> "_Answered":
        before = await self._surroundings(toolbox, turn, inbound)
        question = Question(
            text=_with_attachment(route),
            asker=inbound.sender,
            display_name=room.people.get(inbound.sender) or inbound.sender,
            now=datetime.fromisoformat(before["now"]),
            zone=self._zone,
            room_name=None if room.is_direct else room.name,
            history=[message_from_json(row) for row in before["history"]],
            rights=toolbox.level.name.lower(),
            only_namespace=self._about(route.namespace),
        )
        occasion = Occasion(
            turn=turn, inbound=inbound, room=room, speaker=route.speaker, face=Face.AGENT
        )
        asking = AskingToolbox(toolbox, occasion, self._desk, self._settling)
        offered = {tool.name for tool in toolbox.tools()}
        given = await agent.answer(question, asking, turn, self._wish(route, room))
        own = called_in(given.messages) & {*offered, *given.used}
        is_private = toolbox.has_private(own) or bool(before.get("is_private"))
        answered = await self._placed(given, turn, inbound, is_private=is_private)
        rests_on = own.union(before.get("rests_on", ()))
        await self._remember(turn, inbound, answered, rests_on, is_private=is_private)
        return answered

    async def _placed(
        self, given: AgentAnswer, turn: Turn, inbound: Inbound, *, is_private: bool
    ) -> "_Answered":
        # By who is there now: somebody may have come in while the model was thinking.
        asker = inbound.sender
        if not is_private or await self._private.is_alone(asker, inbound.room_id):
            return _Answered(given, is_for_asker_alone=False)
        direct = await self._private.room_with(turn, asker)
        return _Answered(given, is_for_asker_alone=True, direct=direct)

    async def _surroundings(
        self, toolbox: Toolbox, turn: Turn, inbound: Inbound
    ) -> Mapping[str, JSON]:
        async def read() -> JSON:
            turns = await self._conversations.load(conversation_of(inbound))
            has_private = any(each.only_for is not None for each in turns)
            known = recall(
                turns,
                inbound.sender,
                is_alone=has_private
                and await self._private.is_alone(inbound.sender, inbound.room_id),
                may_use_all=toolbox.may_use_all,
            )
            return {
                "now": self._now().isoformat(),
                "history": [message_to_json(message) for message in known.messages],
                "rests_on": sorted(known.rests_on),
                "is_private": known.is_private,
            }

        # A step: a resumed turn must ask with the very words that its journal answers.
        found: Mapping[str, JSON] = await turn.step(SURROUNDINGS, read)
        return found

    async def _remember(
        self,
        turn: Turn,
        inbound: Inbound,
        answered: "_Answered",
        rests_on: frozenset[str],
        *,
        is_private: bool,
    ) -> None:
        """In the conversation that the answer goes into, where the asker goes on with it."""
        conversation: str | None = conversation_of(inbound)
        if answered.is_for_asker_alone:
            conversation = answered.direct
        if conversation is None:
            return
        await self._conversations.append(
            conversation,
            turn.trigger_id,
            answered.given.messages,
            run=turn.first_n,
            rests_on=rests_on,
            only_for=inbound.sender if is_private else None,
        )

    async def _is_new_to_threads(self, turn: Turn, inbound: Inbound, room: RoomView) -> bool:
        """Whether the answer begins the first thread with this person, who may want a hint."""
        begins_thread = inbound.thread == inbound.event_id
        if not begins_thread or "hints" in self._composer.settings(room).quiet:
            return False
        return await self._asides.how_to_go_on(turn, inbound.sender)

    def _wish(self, route: Ask, room: RoomView) -> ModelWish:
        settings = self._composer.settings(room)
        return ModelWish(
            name=settings.model,
            namespace=route.namespace,
            local_only=settings.local_only == "on",
        )

    def _about(self, namespace: str | None) -> str | None:
        found = self._registry.namespace(namespace) if namespace else None
        return f"{found.display_name}: {found.summary}" if found else None


@dataclass(frozen=True, slots=True)
class _Answered:
    """What the agent gave; `direct` is where it goes if it is for the asker alone."""

    given: AgentAnswer
    is_for_asker_alone: bool
    direct: RoomID | None = None


def _caller(turn: Turn, inbound: Inbound) -> Caller:
    return Caller(
        user_id=inbound.sender,
        face=Face.AGENT,
        room_id=inbound.room_id,
        on_behalf_of_turn=turn.trigger_id,
        run=turn.first_n,
    )


def _with_attachment(route: Ask) -> str:
    if route.unseen is None:
        return route.question
    kind = route.unseen.removeprefix("m.")
    return _ATTACHED.format(question=route.question, kind=kind)
