"""A person's message: run a command, ask the agent, explain, or leave it alone."""

import logging
from collections.abc import Sequence
from typing import Final, assert_never

from lycatra_appservice.chat import messages
from lycatra_appservice.chat.commands import UnknownCommand
from lycatra_appservice.chat.compose import Composer
from lycatra_appservice.chat.handlers.ask import AskHandler
from lycatra_appservice.chat.handlers.command import CommandHandler
from lycatra_appservice.chat.router import (
    Ask,
    Explain,
    Ignore,
    Reset,
    Route,
    Router,
    RunTool,
    Situation,
    is_too_old,
)
from lycatra_appservice.errors import LycatraError
from lycatra_appservice.matrix.errors import MatrixError
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.matrix.rooms import RoomStore
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import Inbound, Outgoing, Reply
from lycatra_appservice.turns.turn import Turn

logger = logging.getLogger(__name__)

_HOUR_MS: Final = 3_600_000


class MessageHandler:
    """Looks up the facts around a message, routes it, and lets the right handler answer."""

    def __init__(
        self,
        users: VirtualUsers,
        rooms: RoomStore,
        router: Router,
        composer: Composer,
        command: CommandHandler,
        ask: AskHandler,
    ) -> None:
        self._users = users
        self._rooms = rooms
        self._router = router
        self._composer = composer
        self._command = command
        self._ask = ask

    async def handle(self, turn: Turn, inbound: Inbound) -> Sequence[Outgoing]:
        """Answer, or return nothing for a message that is not ours after all."""
        room = await self._room(inbound)
        if room is None:
            return ()
        route = self._router.route(
            Situation(
                inbound=inbound,
                room=room,
                replied_to=await self._rooms.speaker_of(inbound.reply_to),
                in_our_thread=await self._rooms.answers_in(inbound.thread),
            )
        )
        if not isinstance(route, Ignore) and self._is_too_old(route, inbound):
            return await self._too_old(turn, inbound, room)
        return await self._act(turn, route, inbound, room)

    def apologise(self, inbound: Inbound, error: LycatraError) -> Sequence[Outgoing]:
        """Say in one line why there is no answer."""
        speaker = self._router.named_first(inbound)
        reply = Reply(markdown=messages.failed(error.user_message), sender=speaker)
        return self._composer.messages(reply, inbound)

    async def _act(
        self, turn: Turn, route: Route, inbound: Inbound, room: RoomView
    ) -> Sequence[Outgoing]:
        match route:
            case Ignore(why):
                logger.debug("ignored", extra={"why": why})
                return ()
            case Explain():
                return self._composer.answer(_explanation(route), inbound, room)
            case RunTool():
                return await self._command.handle(route, turn, inbound, room)
            case Ask():
                return await self._ask.handle(route, turn, inbound, room)
            case Reset():
                return await self._ask.reset(route, turn, inbound, room)
            case _:
                assert_never(route)

    async def _room(self, inbound: Inbound) -> RoomView | None:
        try:
            return await self._rooms.view(inbound.room_id, self._router.named_first(inbound))
        except MatrixError as error:
            if error.outlasted:
                raise
            logger.info("room_not_ours", extra={"room_id": inbound.room_id})
            return None

    def _is_too_old(self, route: Route, inbound: Inbound) -> bool:
        only_reads = isinstance(route, RunTool) and self._command.only_reads(route)
        return is_too_old(inbound.age, only_reads=only_reads)

    async def _too_old(self, turn: Turn, inbound: Inbound, room: RoomView) -> Sequence[Outgoing]:
        """One line per room and hour, however much has piled up."""
        hour = turn.created_at_ms // _HOUR_MS  # when it came, not when it was written
        key = f"too_old|{inbound.room_id}|{hour}"
        first = await turn.step("say_once", lambda: self._rooms.say_once(key, turn.trigger_id))
        if not first:
            return ()
        reply = Reply(
            markdown=messages.too_old(inbound.age),
            sender=room.host(self._users.main),
            notice=True,
        )
        return self._composer.answer(reply, inbound, room)


def _explanation(route: Explain) -> Reply:
    problem = route.problem
    if isinstance(problem, UnknownCommand):
        said = messages.unknown_command(problem.words, problem.suggestions)
    else:
        said = messages.unclear_arguments(problem.problem, problem.example)
    return Reply(markdown=said, sender=route.speaker, notice=True)
