"""Wiring of the chat: gate, agent, handlers, and what runs their turns."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic
from typing import Final

from lycatra_appservice.agent.backend import Backend
from lycatra_appservice.agent.chat_completions import ChatCompletionsBackend
from lycatra_appservice.agent.loop import Agent, Window
from lycatra_appservice.agent.observing import ObservedBackend
from lycatra_appservice.app.approving import build_approving
from lycatra_appservice.app.coming_and_going import (
    ComingAndGoing,
    Ground,
    build_coming_and_going,
)
from lycatra_appservice.app.parts import Parts, secrets_of, utc_now
from lycatra_appservice.app.second_thoughts import build_second_thoughts
from lycatra_appservice.chat.arrival import Arrival
from lycatra_appservice.chat.asides import Asides
from lycatra_appservice.chat.asking import AsTrigger
from lycatra_appservice.chat.compose import Composer
from lycatra_appservice.chat.conversation import ConversationStore
from lycatra_appservice.chat.direct_line import DirectLine
from lycatra_appservice.chat.encrypted_rooms import EncryptedRooms
from lycatra_appservice.chat.handlers.ask import AskHandler
from lycatra_appservice.chat.handlers.command import CommandHandler
from lycatra_appservice.chat.handlers.control import ControlHandler
from lycatra_appservice.chat.handlers.dispatch import Dispatcher, Handlers, Job
from lycatra_appservice.chat.handlers.encrypted import EncryptedHandler
from lycatra_appservice.chat.handlers.message import Answerers, MessageHandler
from lycatra_appservice.chat.handlers.state import OnLeft
from lycatra_appservice.chat.help_page import HelpPage
from lycatra_appservice.chat.language import Tongue
from lycatra_appservice.chat.room_settings import RoomSettingsStore
from lycatra_appservice.chat.router import Router
from lycatra_appservice.chat.setting_words import make_settings
from lycatra_appservice.chat.settings_page import SettingsPage
from lycatra_appservice.chat.situations import Situations
from lycatra_appservice.chat.threads import ThreadStore
from lycatra_appservice.chat.typing import TypingNotice
from lycatra_appservice.chat.unasked import NoticeStore, Unasked
from lycatra_appservice.chat.welcome import Welcome
from lycatra_appservice.db.connection import Database
from lycatra_appservice.matrix.delivery import MatrixDeliverer
from lycatra_appservice.matrix.direct_rooms import DirectRooms
from lycatra_appservice.matrix.encrypted_notice import DIRECT_ROOM, ENCRYPTED_ROOM
from lycatra_appservice.matrix.rooms import RoomStore
from lycatra_appservice.matrix.shared_rooms import SharedRooms
from lycatra_appservice.model import LaneKind
from lycatra_appservice.ops.health import HealthBoard
from lycatra_appservice.ops.masking import Masker
from lycatra_appservice.settings import Settings
from lycatra_appservice.toolkit.approvals import ConfiguredRules
from lycatra_appservice.toolkit.context import Contexts
from lycatra_appservice.toolkit.discretion import Mask
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
    as_trigger: AsTrigger,
) -> Chat:
    """Build the handlers and the worker that runs them."""
    tongue = Tongue(load_catalogue(), parts.settings.rooms.language)
    composer = Composer(parts.users, tongue, parts.settings.rooms)
    conversations = ConversationStore(parts.database)
    notices = NoticeStore(parts.database)
    unasked = Unasked(notices, parts.settings.rooms, parts.metrics)
    asides = Asides(notices)
    gate = _gate(parts, board)
    ground = _ground(parts, rooms)
    approving = build_approving(ground, composer, tongue, parts.settings.zone, utc_now)
    ask = AskHandler(
        _agent(parts.settings, backend),
        gate,
        parts.registry,
        parts.access,
        conversations,
        composer,
        asides,
        TypingNotice(parts.client),
        parts.settings.zone,
        utc_now,
        parts.settings.model.turn_timeout if parts.settings.model else timedelta(0),
        approving.desk,
        approving.settling,
    )
    control = _control(parts, gate, composer, has_model=backend is not None)
    second = build_second_thoughts(ground, conversations, composer, as_trigger, approving.voting)
    message = MessageHandler(
        parts.users,
        rooms,
        Situations(rooms, ThreadStore(parts.database), parts.ignored),
        Router(parts.users, parts.reader, has_model=backend is not None),
        composer,
        Answerers(
            command=CommandHandler(
                gate, parts.registry, parts.users, composer, approving.desk, approving.settling
            ),
            ask=ask,
            stop=second.stop,
            vote=approving.voting,
            control=control,
        ),
        unasked,
        asides,
    )
    encrypted = _encrypted(parts, rooms, gate, unasked)
    coming = _coming_and_going(
        parts,
        ground,
        encrypted,
        Arrival(unasked, _welcome(parts, gate), encrypted),
        approving.forsaken.left,
    )
    handlers = Handlers(
        message=message,
        edit=second.edit,
        redaction=second.redaction,
        reaction=second.reaction,
        encrypted=EncryptedHandler(parts.users, rooms, encrypted),
        invitation=coming.invitation,
        state=coming.state,
        schedules=schedules,
        jobs={
            **coming.jobs,
            **second.jobs,
            **approving.jobs,
            ENCRYPTED_ROOM: encrypted.explain,
            DIRECT_ROOM: encrypted.begin,
        },
    )
    dispatcher = Dispatcher(parts.users, handlers)
    worker, upkeep = _worker(parts, rooms, dispatcher)
    return Chat(worker=worker, upkeep=upkeep, conversations=conversations)


def _control(parts: Parts, gate: Gate, composer: Composer, *, has_model: bool) -> ControlHandler:
    settings = SettingsPage(
        make_settings(load_catalogue().languages),
        parts.settings.rooms,
        RoomSettingsStore(parts.database),
        parts.access,
    )
    help_page = HelpPage(gate, parts.registry, parts.users, parts.commands, has_model=has_model)
    return ControlHandler(parts.access, help_page, settings, composer)


def _encrypted(parts: Parts, rooms: RoomStore, gate: Gate, unasked: Unasked) -> EncryptedRooms:
    shared = SharedRooms(parts.database, rooms, parts.users)
    return EncryptedRooms(
        parts.users,
        rooms,
        shared,
        DirectRooms(parts.client, parts.users, shared.direct_with),
        parts.inbox,
        unasked,
        parts.access,
        _welcome(parts, gate),
    )


def _ground(parts: Parts, rooms: RoomStore) -> Ground:
    return Ground(
        users=parts.users,
        rooms=rooms,
        client=parts.client,
        database=parts.database,
        inbox=parts.inbox,
        access=parts.access,
        registry=parts.registry,
        limits=parts.settings.invitations,
        defaults=parts.settings.rooms,
    )


def _coming_and_going(
    parts: Parts,
    ground: Ground,
    encrypted: EncryptedRooms,
    arrival: Arrival,
    on_left: OnLeft,
) -> ComingAndGoing:
    shared = SharedRooms(parts.database, ground.rooms, parts.users)
    direct = DirectRooms(parts.client, parts.users, shared.direct_with)
    return build_coming_and_going(
        ground,
        arrival,
        DirectLine(parts.users, direct, Tongue(load_catalogue(), parts.settings.rooms.language)),
        encrypted,
        parts.metrics,
        lambda: _announce_join(parts.database),
        on_left,
    )


def _welcome(parts: Parts, gate: Gate) -> Welcome:
    return Welcome(
        gate,
        parts.registry,
        parts.access,
        parts.users,
        Tongue(load_catalogue(), parts.settings.rooms.language),
        parts.settings.rooms,
        parts.settings.model,
    )


async def _announce_join(database: Database) -> None:
    """Tell the leader, wherever it runs, that a room may hold what nobody pushed to us."""
    async with database.transaction() as connection:
        await connection.notify(JOINED_CHANNEL)


def _gate(parts: Parts, board: HealthBoard) -> Gate:
    contexts = Contexts(
        zone=parts.settings.zone,
        allowed_targets=parts.settings.tools_http.allow,
        base_folder=parts.settings.base_folder,
        settings=parts.settings.tool_settings,
        components=board.components,
        clock=utc_now,
    )
    rules = ConfiguredRules(parts.settings.approvals)
    rules.expect_known([tool for tool in parts.registry.tools if tool.changes])
    return Gate(
        parts.registry,
        parts.access,
        contexts,
        parts.metrics,
        rule_for=rules,
        conceal=_conceal(parts.settings),
    )


def _conceal(settings: Settings) -> Mask:
    return Masker(secrets_of(settings)).conceal


def _agent(settings: Settings, backend: Backend | None) -> Agent | None:
    if backend is None or settings.model is None:
        return None
    window = Window(
        context_tokens=settings.model.context_window,
        max_output_tokens=settings.model.max_output_tokens,
    )
    name = settings.bot.display_name
    return Agent(backend, window, name=name, conceal=_conceal(settings))


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
