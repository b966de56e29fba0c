"""A person's message: run a command, ask the agent, explain, or leave it alone."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol, assert_never

from lycatra_appservice.chat import messages
from lycatra_appservice.chat.asides import Asides
from lycatra_appservice.chat.compose import Composer
from lycatra_appservice.chat.control import ControlWord
from lycatra_appservice.chat.handlers.ask import AskHandler
from lycatra_appservice.chat.handlers.command import CommandHandler
from lycatra_appservice.chat.pacing import Pacing
from lycatra_appservice.chat.places import placed
from lycatra_appservice.chat.router import Router, Situation, is_too_old
from lycatra_appservice.chat.routes import (
    Acknowledge,
    Ask,
    Control,
    Explain,
    Ignore,
    Route,
    RunTool,
    RunTools,
    Unseen,
)
from lycatra_appservice.chat.shown_alone import ShownAlone
from lycatra_appservice.chat.situations import Situations
from lycatra_appservice.chat.unasked import Kind, Unasked
from lycatra_appservice.errors import LycatraError
from lycatra_appservice.matrix.errors import MatrixError
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.matrix.rooms import RoomStore
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import Inbound, Outgoing, Reply, RoomID
from lycatra_appservice.turns.turn import Turn

logger = logging.getLogger(__name__)

_ONLY_READ: Final = frozenset(
    {
        ControlWord.HELP,
        ControlWord.WHOAMI,
        ControlWord.AUDIT,
        ControlWord.SOURCES,
        ControlWord.USAGE,
        ControlWord.E2EE,
    }
)


class SteeringHandler(Protocol):
    """Does what a control word asks."""

    async def handle(
        self, route: Control, turn: Turn, inbound: Inbound, room: RoomView
    ) -> Sequence[Outgoing]:
        """Return what to say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answerers:
    """One for each thing that a message can ask for. `control` has all words that are left."""

    command: CommandHandler
    ask: AskHandler
    alone: ShownAlone
    stop: SteeringHandler
    vote: SteeringHandler
    usage: SteeringHandler
    mcp: SteeringHandler
    subscribing: SteeringHandler
    answering: SteeringHandler
    control: SteeringHandler


class MessageHandler:
    """Looks up the facts around a message, routes it, and lets the right handler answer."""

    def __init__(
        self,
        users: VirtualUsers,
        rooms: RoomStore,
        situations: Situations,
        router: Router,
        composer: Composer,
        answerers: Answerers,
        unasked: Unasked,
        asides: Asides,
        pacing: Pacing,
    ) -> None:
        self._users = users
        self._rooms = rooms
        self._situations = situations
        self._router = router
        self._composer = composer
        self._answerers = answerers
        self._unasked = unasked
        self._asides = asides
        self._pacing = pacing

    async def handle(self, turn: Turn, inbound: Inbound) -> Sequence[Outgoing]:
        """Answer, or return nothing for a message that is not ours after all."""
        room = await self._room(inbound)
        if room is None:
            return ()
        situation = await self._situations.of(inbound, room, turn.created_at_ms)
        if turn.withdrawn_tool is not None:
            # Before it is routed: the words of a tool that is gone mean nothing any more.
            return self._tool_gone(turn.withdrawn_tool, situation)
        route = self._router.route(situation)
        if room.successor is not None and not isinstance(route, Ignore):
            return await self._moved(room.successor, turn, situation)
        if not isinstance(route, Ignore) and self._is_too_old(route, inbound):
            return await self._too_old(route, turn, situation)
        speaker = self._router.speaker(situation)
        slowed = await self._pacing.slowed(route, turn, situation.inbound, room, speaker)
        if slowed is not None:
            return slowed
        return await self._act(route, turn, situation)

    async def apologise(
        self, inbound: Inbound, error: LycatraError, *, at_ms: int, surely_ours: bool
    ) -> Sequence[Outgoing]:
        """Say in one line why there is no answer, by who would have given it.

        `at_ms` is when the message was stored. Asks only the database: what failed may have been
        the homeserver. In a room that it does not know only the message's words tell whose it is.
        """
        said = messages.failed(error.said)
        room = await self._rooms.known(inbound.room_id)
        if room is None:
            reply = Reply(markdown=said, sender=self._router.named_first(inbound))
            return self._composer.messages(reply, inbound) if surely_ours else ()
        situation = await self._situations.of(inbound, room, at_ms)
        route = self._router.route(situation)
        if isinstance(route, Ignore):
            return ()
        speaker = self._router.speaker(situation)
        reply = Reply(markdown=said, sender=speaker)
        return self._composer.answer(reply, situation.inbound, room, brings=False)

    def _tool_gone(self, tool: str, situation: Situation) -> Sequence[Outgoing]:
        inbound, room = situation.inbound, situation.room
        reply = Reply(
            markdown=messages.tool_gone(tool),
            sender=self._router.speaker(situation),
            mentions=() if room.is_direct else (inbound.sender,),
        )
        return self._composer.answer(reply, inbound, room)

    async def _act(self, route: Route, turn: Turn, situation: Situation) -> Sequence[Outgoing]:
        inbound, room = situation.inbound, situation.room
        match route:
            case Ignore(why):
                logger.debug("ignored", extra={"why": why})
                return ()
            case Explain() | RunTool() | RunTools():
                return await self._answerers.command.handle(route, turn, inbound, room)
            case Ask():
                question = placed(inbound, room, self._composer.settings(room).reply)
                await self._situations.note_voice(question, turn.created_at_ms)
                return await self._answerers.ask.handle(route, turn, question, room)
            case Control():
                return await self._steer(route, turn, situation)
            case Acknowledge(speaker, key):
                return [self._composer.acknowledgement(speaker, key, inbound, room)]
            case Unseen():
                return await self._unseen(route, turn, situation)
            case _:
                assert_never(route)

    async def _steer(self, route: Control, turn: Turn, situation: Situation) -> Sequence[Outgoing]:
        inbound, room = situation.inbound, situation.room
        if route.word is ControlWord.RESET:
            return await self._answerers.ask.reset(route, turn, inbound, room)
        match route.word:
            case ControlWord.STOP:
                handler = self._answerers.stop
            case ControlWord.APPROVE | ControlWord.DENY:
                handler = self._answerers.vote
            case ControlWord.ANSWER:
                handler = self._answerers.answering
            case ControlWord.USAGE:
                handler = self._answerers.usage
            case ControlWord.MCP:
                handler = self._answerers.mcp
            case ControlWord.SUBSCRIBE | ControlWord.UNSUBSCRIBE:
                handler = self._answerers.subscribing
            case _:
                handler = self._answerers.control
        return await handler.handle(route, turn, inbound, room)

    async def _unseen(self, route: Unseen, turn: Turn, situation: Situation) -> Sequence[Outgoing]:
        said = await self._answerers.alone.answer(route, turn, situation.inbound, situation.room)
        if said is None:
            return ()
        reply = Reply(markdown=said, sender=route.speaker, notice=True)
        return self._composer.answer(reply, situation.inbound, situation.room)

    async def _room(self, inbound: Inbound) -> RoomView | None:
        try:
            return await self._rooms.view(inbound.room_id, self._router.named_first(inbound))
        except MatrixError as error:
            if error.outlasted:
                raise
            logger.info("room_not_ours", extra={"room_id": inbound.room_id})
            return None

    def _is_too_old(self, route: Route, inbound: Inbound) -> bool:
        match route:
            case RunTool() | RunTools():
                only_reads = self._answerers.command.only_reads(route)
            case Control(word=word):
                only_reads = word in _ONLY_READ
            case _:
                only_reads = False
        return is_too_old(inbound.age, only_reads=only_reads)

    async def _moved(
        self, successor: RoomID, turn: Turn, situation: Situation
    ) -> Sequence[Outgoing]:
        """One line per room and hour, instead of answers in a room that was upgraded."""
        if not await self._asides.has_moved(turn, situation.room.room_id):
            return ()
        said = messages.room_has_moved(successor)
        host = situation.room.host(self._users.main)
        reply = Reply(markdown=said, sender=host, notice=True)
        return self._composer.answer(reply, situation.inbound, situation.room)

    async def _too_old(self, route: Route, turn: Turn, situation: Situation) -> Sequence[Outgoing]:
        """One line per room and hour, however much has piled up."""
        if isinstance(route, Acknowledge):
            return ()  # nobody misses it
        if not await self._unasked.may(turn, situation.room, Kind.TOO_OLD):
            return ()
        reply = Reply(
            markdown=messages.too_old(situation.inbound.age),
            sender=situation.room.host(self._users.main),
            notice=True,
        )
        return self._composer.answer(reply, situation.inbound, situation.room)
