"""Wiring of the chat: gate, agent, handlers, and what runs their turns."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic
from typing import Final

from lycatra_appservice.agent.backend import Backend
from lycatra_appservice.agent.chat_completions import ChatCompletionsBackend
from lycatra_appservice.agent.loop import Agent, Window
from lycatra_appservice.agent.observing import ObservedBackend
from lycatra_appservice.app.parts import Parts, utc_now
from lycatra_appservice.chat.compose import Composer
from lycatra_appservice.chat.conversation import ConversationStore
from lycatra_appservice.chat.handlers.ask import AskHandler
from lycatra_appservice.chat.handlers.command import CommandHandler
from lycatra_appservice.chat.handlers.dispatch import Dispatcher, Handlers, Job
from lycatra_appservice.chat.handlers.invitation import InvitationHandler
from lycatra_appservice.chat.handlers.message import MessageHandler
from lycatra_appservice.chat.handlers.nothing import NothingHandler
from lycatra_appservice.chat.handlers.state import StateHandler
from lycatra_appservice.chat.language import Tongue
from lycatra_appservice.chat.router import Router
from lycatra_appservice.chat.typing import TypingNotice
from lycatra_appservice.db.connection import Database
from lycatra_appservice.matrix.delivery import MatrixDeliverer
from lycatra_appservice.matrix.rooms import RoomStore
from lycatra_appservice.model import LaneKind
from lycatra_appservice.ops.health import HealthBoard
from lycatra_appservice.settings import Settings
from lycatra_appservice.toolkit.context import Contexts, tool_session
from lycatra_appservice.toolkit.toolbox import Gate
from lycatra_appservice.turns.journal import Journal
from lycatra_appservice.turns.runner import TurnRunner
from lycatra_appservice.turns.sending import Sending
from lycatra_appservice.turns.store import TurnStore
from lycatra_appservice.turns.upkeep import Upkeep
from lycatra_appservice.turns.worker import Worker, WorkerTiming
from lycatra_appservice.words.catalogue import load_catalogue

JOINED_CHANNEL: Final = "lycatra_joined"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """The worker with all that its turns need."""

    worker: Worker
    upkeep: Upkeep
    conversations: ConversationStore


def make_backend(parts: Parts) -> Backend | None:
    """The model's backend; None when no model is configured."""
    if parts.settings.model is None:
        return None
    return ObservedBackend(ChatCompletionsBackend(parts.settings.model), parts.metrics, monotonic)


async def build_chat(
    parts: Parts,
    rooms: RoomStore,
    backend: Backend | None,
    board: HealthBoard,
    schedules: Mapping[str, Job],
    stack: AsyncExitStack,
) -> Chat:
    """Build the handlers and the worker that runs them."""
    composer = Composer(parts.users, Tongue(load_catalogue()))
    conversations = ConversationStore(parts.database)
    gate = await _gate(parts, board, stack)
    ask = AskHandler(
        _agent(parts.settings, backend),
        gate,
        parts.registry,
        parts.access,
        conversations,
        composer,
        TypingNotice(parts.client),
        parts.settings.zone,
        utc_now,
        parts.settings.model.turn_timeout if parts.settings.model else timedelta(0),
    )
    message = MessageHandler(
        parts.users,
        rooms,
        Router(parts.users, parts.addressing, parts.commands),
        composer,
        CommandHandler(gate, parts.registry, parts.users, composer),
        ask,
    )
    handlers = Handlers(
        message=message,
        edit=NothingHandler(),
        redaction=NothingHandler(),
        reaction=NothingHandler(),
        encrypted=NothingHandler(),
        invitation=InvitationHandler(
            parts.users, rooms, parts.access, lambda: _announce_join(parts.database)
        ),
        state=StateHandler(parts.users, rooms),
        schedules=schedules,
        jobs={},
    )
    dispatcher = Dispatcher(parts.users, handlers)
    worker, upkeep = _worker(parts, rooms, dispatcher)
    return Chat(worker=worker, upkeep=upkeep, conversations=conversations)


async def _announce_join(database: Database) -> None:
    """Tell the leader, wherever it runs, that a room may hold what nobody pushed to us."""
    async with database.transaction() as connection:
        await connection.notify(JOINED_CHANNEL)


async def _gate(parts: Parts, board: HealthBoard, stack: AsyncExitStack) -> Gate:
    contexts = Contexts(
        zone=parts.settings.zone,
        http=await stack.enter_async_context(tool_session()),
        base_folder=parts.settings.base_folder,
        settings=parts.settings.tool_settings,
        components=board.components,
        clock=utc_now,
    )
    return Gate(parts.registry, parts.access, contexts, parts.metrics)


def _agent(settings: Settings, backend: Backend | None) -> Agent | None:
    if backend is None or settings.model is None:
        return None
    window = Window(
        context_tokens=settings.model.context_window,
        max_output_tokens=settings.model.max_output_tokens,
    )
    return Agent(backend, window, name=settings.bot.display_name)


def _worker(parts: Parts, rooms: RoomStore, dispatcher: Dispatcher) -> tuple[Worker, Upkeep]:
    turns = parts.settings.turns
    store = TurnStore(parts.database, parts.owner, turns.lease)
    journal = Journal(parts.database, parts.owner)
    deliverer = MatrixDeliverer(parts.client, parts.users, is_encrypted=rooms.is_encrypted)
    sending = Sending(journal, deliverer, parts.metrics)
    runner = TurnRunner(store, journal, sending, dispatcher, parts.metrics)
    upkeep = Upkeep(parts.database, parts.owner, turns.lease)
    timing = WorkerTiming(lease=turns.lease, poll=turns.poll)
    slots = {kind: getattr(turns.slots, kind) for kind in LaneKind}
    worker = Worker(store, upkeep, runner, parts.opened.signals, parts.metrics, timing, slots)
    return worker, upkeep
