"""An answer by the agent: with what was said before, with the asker's tools, and remembered."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

from lycatra_appservice.agent.loop import Agent, AgentAnswer, ModelWish
from lycatra_appservice.agent.messages import Attached, AttachedKind, Message, UserMessage
from lycatra_appservice.agent.ports import HearerPort
from lycatra_appservice.agent.prompt import Question
from lycatra_appservice.agent.tracing import INPUT_TOKENS, OUTPUT_TOKENS
from lycatra_appservice.budgets.budgets import Budgets
from lycatra_appservice.budgets.limits import Payer
from lycatra_appservice.chat.approvals.asking_toolbox import AskingToolbox
from lycatra_appservice.chat.approvals.desk import ApprovalDesk
from lycatra_appservice.chat.approvals.occasion import Occasion
from lycatra_appservice.chat.approvals.settling import Settling
from lycatra_appservice.chat.asides import Asides
from lycatra_appservice.chat.compose import Composer
from lycatra_appservice.chat.conversation import ConversationStore, conversation_of
from lycatra_appservice.chat.looking import Looking, Reason, Unseen
from lycatra_appservice.chat.memory import called_in
from lycatra_appservice.chat.pacing import RefusalObserver
from lycatra_appservice.chat.private_answers import PrivateAnswers
from lycatra_appservice.chat.purse import Purse
from lycatra_appservice.chat.routes import Ask
from lycatra_appservice.chat.surroundings import Gathering, Surroundings, Wanted
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import Face, Inbound, Level, RoomID
from lycatra_appservice.toolkit.registry import Registry
from lycatra_appservice.toolkit.toolbox import Toolbox
from lycatra_appservice.turns.turn import Turn
from lycatra_appservice.words.text import Text


@dataclass(frozen=True, slots=True)
class Answered:
    """What the agent gave; `direct` is where it goes if it is for the asker alone.

    `for_admin` is something else that the asker has to know, being an admin. `unseen` is what was
    attached and not looked at.
    """

    given: AgentAnswer
    is_for_asker_alone: bool
    direct: RoomID | None = None
    for_admin: Text | None = None
    unseen: Sequence[Unseen] = ()


class Answering:
    """What a question is surrounded by, and what is kept of its answer."""

    def __init__(
        self,
        agent: Agent,
        registry: Registry,
        conversations: ConversationStore,
        composer: Composer,
        private: PrivateAnswers,
        zone: ZoneInfo,
        gathering: Gathering,
        looking: Looking,
        users: VirtualUsers,
        desk: ApprovalDesk,
        settling: Settling,
        asides: Asides,
        budgets: Budgets,
        observer: RefusalObserver,
    ) -> None:
        self._agent = agent
        self._registry = registry
        self._conversations = conversations
        self._composer = composer
        self._private = private
        self._zone = zone
        self._gathering = gathering
        self._looking = looking
        self._users = users
        self._desk = desk
        self._settling = settling
        self._asides = asides
        self._budgets = budgets
        self._observer = observer

    async def answer(
        self,
        toolbox: Toolbox,
        route: Ask,
        turn: Turn,
        inbound: Inbound,
        room: RoomView,
        hearer: HearerPort,
        keep_private: Callable[[], None],
    ) -> Answered:
        """Ask the agent; `hearer` hears how it comes along.

        `keep_private` is called when what it hears may be for the asker alone. Raises ModelError,
        and whatever the turn's journal raises.
        """
        with self._agent.watch.invocation(turn.trigger_id, conversation_of(inbound)) as span:
            answered = await self._answer(
                toolbox, route, turn, inbound, room, hearer, keep_private
            )
            usage = answered.given.usage
            span.put({INPUT_TOKENS: usage.prompt, OUTPUT_TOKENS: usage.completion})
            return answered

    async def _answer(
        self,
        toolbox: Toolbox,
        route: Ask,
        turn: Turn,
        inbound: Inbound,
        room: RoomView,
        hearer: HearerPort,
        keep_private: Callable[[], None],
    ) -> Answered:
        settings, wish = self._composer.settings(room), self._wish(route, room)
        pictures = self._agent.can_see(wish)
        wanted = Wanted(context=settings.context, pictures=pictures)
        before = await self._gathering.of(toolbox, turn, inbound, room, wanted)
        attached, unseen = await self._shown(before, room, pictures=pictures)
        wish = replace(wish, pictures=any(each.image for each in attached))
        offered = {tool.name for tool in toolbox.tools()}
        # Nobody hears what a journal replays: a call of any tool of the asker's may be in it.
        if before.is_private or (turn.has_journal and toolbox.has_private(offered)):
            keep_private()
        question = Question(
            text=route.question,
            asker=inbound.sender,
            display_name=room.people.get(inbound.sender) or inbound.sender,
            now=before.now,
            zone=self._zone,
            room_name=None if room.is_direct else room.name,
            is_group=not room.is_direct,
            history=before.history,
            attached=attached,
            rights=toolbox.level.name.lower(),
            only_namespace=self._about(route.namespace),
            room_wishes=settings.prompt,
            language=self._composer.language_name(inbound, room) if route.is_ready else None,
        )
        occasion = Occasion(
            turn=turn, inbound=inbound, room=room, speaker=route.speaker, face=Face.AGENT
        )
        asking = AskingToolbox(toolbox, occasion, self._desk, self._settling)
        payer = Payer(person=inbound.sender, level=toolbox.level, room_id=inbound.room_id)
        purse = Purse(turn, self._budgets, payer, self._observer)
        given = await self._agent.answer(question, asking, turn, wish, hearer, purse)
        own = called_in(given.messages) & {*offered, *given.used}
        is_private = toolbox.has_private(own) or before.is_private
        answered = await self._placed(given, turn, inbound, is_private=is_private)
        await self._remember(
            turn, inbound, answered, before, own | before.rests_on, is_private=is_private
        )
        return replace(
            answered,
            unseen=[*unseen, *_blind(given, before)],
            for_admin=await self._for_admin(given, toolbox, turn),
        )

    async def _for_admin(self, given: AgentAnswer, toolbox: Toolbox, turn: Turn) -> Text | None:
        await self._asides.note_windows(given.smaller)
        return await self._asides.for_admin(turn) if toolbox.level is Level.ADMIN else None

    async def _placed(
        self, given: AgentAnswer, turn: Turn, inbound: Inbound, *, is_private: bool
    ) -> Answered:
        # By who is there now: somebody may have come in while the model was thinking.
        asker = inbound.sender
        if not is_private or await self._private.is_alone(asker, inbound.room_id):
            return Answered(given, is_for_asker_alone=False)
        direct = await self._private.room_with(turn, asker)
        return Answered(given, is_for_asker_alone=True, direct=direct)

    async def _shown(
        self, before: Surroundings, room: RoomView, *, pictures: bool
    ) -> tuple[Sequence[Attached], Sequence[Unseen]]:
        """What goes with the question, pictures with their bytes, which no journal keeps."""
        attached = [*before.again, *before.attached]
        if not pictures:
            return attached, before.unseen
        host = room.host(self._users.main)
        shown, gone = await self._looking.at_pictures(attached, as_user=host)
        return shown, [*before.unseen, *gone]

    async def _remember(
        self,
        turn: Turn,
        inbound: Inbound,
        answered: Answered,
        before: Surroundings,
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
            _kept(answered.given, before.attached),
            run=turn.first_n,
            rests_on=rests_on,
            only_for=inbound.sender if is_private else None,
            went_on_from=before.went_on_from,
        )

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


def _blind(given: AgentAnswer, before: Surroundings) -> Sequence[Unseen]:
    """The pictures that the model was to look at and was not shown; told once for each."""
    if not given.blind:
        return ()
    return [
        Unseen(Reason.NO_MODEL, each.name)
        for each in before.attached
        if each.kind is AttachedKind.IMAGE and each.mxc
    ]


def _kept(given: AgentAnswer, attached: Sequence[Attached]) -> Sequence[Message]:
    """What is remembered: the question with what is its own, never with bytes."""
    question, *others = given.messages
    if isinstance(question, UserMessage):
        question = replace(question, attached=tuple(attached))
    return [question, *others]
