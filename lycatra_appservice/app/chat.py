"""Wiring of the chat: gate, agent, handlers, and what runs their turns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from lycatra_appservice.agent.loop import Agent
from lycatra_appservice.app.approving import Approving, build_approving
from lycatra_appservice.app.budgets import build_budgets
from lycatra_appservice.app.coming_and_going import (
    ComingAndGoing,
    Ground,
    build_coming_and_going,
)
from lycatra_appservice.app.models import RunningModels
from lycatra_appservice.app.news import build_news
from lycatra_appservice.app.parts import Parts, utc_now
from lycatra_appservice.app.remote import build_questions, deadlines_with_servers
from lycatra_appservice.app.second_thoughts import build_second_thoughts
from lycatra_appservice.app.talking import build_talking
from lycatra_appservice.app.timing import both, build_timers
from lycatra_appservice.audit.store import AuditStore
from lycatra_appservice.audit.trail import AuditTrail
from lycatra_appservice.chat.answering import Answering
from lycatra_appservice.chat.arrival import Arrival
from lycatra_appservice.chat.asides import Asides
from lycatra_appservice.chat.asking import AsTrigger
from lycatra_appservice.chat.audit_page import AuditPage
from lycatra_appservice.chat.compose import Composer
from lycatra_appservice.chat.conversation import ConversationStore
from lycatra_appservice.chat.direct_line import DirectLine
from lycatra_appservice.chat.draft import Drafts
from lycatra_appservice.chat.draft_end import DraftEnd, DraftRepair
from lycatra_appservice.chat.emoji_shown import EMOJI, EmojiShown
from lycatra_appservice.chat.encrypted_rooms import EncryptedRooms
from lycatra_appservice.chat.handlers.ask import AskHandler
from lycatra_appservice.chat.handlers.command import CommandHandler
from lycatra_appservice.chat.handlers.control import ControlHandler
from lycatra_appservice.chat.handlers.dispatch import Dispatcher, Handlers, Job
from lycatra_appservice.chat.handlers.encrypted import EncryptedHandler
from lycatra_appservice.chat.handlers.message import Answerers, MessageHandler
from lycatra_appservice.chat.handlers.state import OnLeft
from lycatra_appservice.chat.handlers.usage import UsageHandler
from lycatra_appservice.chat.help_page import HelpPage
from lycatra_appservice.chat.language import Tongue
from lycatra_appservice.chat.news.looking import LookingAround
from lycatra_appservice.chat.news.publishing import OnNews, told_to_nobody
from lycatra_appservice.chat.pacing import Pacing
from lycatra_appservice.chat.private_answers import PrivateAnswers
from lycatra_appservice.chat.progress import ProgressNotices
from lycatra_appservice.chat.progress_end import ProgressEnd
from lycatra_appservice.chat.ready_questions import ReadyQuestions
from lycatra_appservice.chat.room_settings import RoomSettingsStore
from lycatra_appservice.chat.router import Router
from lycatra_appservice.chat.secrecy_page import SecrecyPage
from lycatra_appservice.chat.setting_words import make_settings
from lycatra_appservice.chat.settings_page import SettingsPage
from lycatra_appservice.chat.shown_alone import ShownAlone
from lycatra_appservice.chat.situations import Situations
from lycatra_appservice.chat.sources import SourcesPage
from lycatra_appservice.chat.threads import ThreadStore
from lycatra_appservice.chat.typing import TypingNotice
from lycatra_appservice.chat.unasked import NoticeStore, Unasked
from lycatra_appservice.chat.unreadable import UNREADABLE, Unreadable
from lycatra_appservice.chat.usage_page import UsagePage
from lycatra_appservice.chat.welcome import Welcome
from lycatra_appservice.chat.whoami import WhoAmI
from lycatra_appservice.chat.without_model import WithoutModel, plain_questions
from lycatra_appservice.db.connection import Database
from lycatra_appservice.matrix.crypto.key_devices import KeyDevices
from lycatra_appservice.matrix.delivery import MatrixDeliverer
from lycatra_appservice.matrix.encrypted_notice import DIRECT_ROOM, ENCRYPTED_ROOM
from lycatra_appservice.matrix.rooms import RoomStore
from lycatra_appservice.matrix.shared_rooms import SharedRooms
from lycatra_appservice.matrix.standings import Standings
from lycatra_appservice.mcp.calls import CALL, CallStore
from lycatra_appservice.mcp.changing import ChangingTurn
from lycatra_appservice.mcp.commanding import TokenHandler, TokenShop
from lycatra_appservice.mcp.tokens import TokenStore
from lycatra_appservice.mcp.transport import PATH
from lycatra_appservice.model import LaneKind
from lycatra_appservice.ops.health import HealthBoard
from lycatra_appservice.toolkit.approvals import ConfiguredRules
from lycatra_appservice.toolkit.context import Contexts
from lycatra_appservice.toolkit.rights import Rights
from lycatra_appservice.toolkit.state import StateStore
from lycatra_appservice.toolkit.stored_timers import StoredTimers
from lycatra_appservice.toolkit.toolbox import Gate
from lycatra_appservice.turns.drafts import DRAFT, DraftTable
from lycatra_appservice.turns.echoes import REPAIR, Echoes
from lycatra_appservice.turns.journal import Journal
from lycatra_appservice.turns.known import KnownTurns
from lycatra_appservice.turns.progress import PROGRESS, ProgressTable
from lycatra_appservice.turns.runner import DEADLINES, TurnRunner, deadlines_beyond
from lycatra_appservice.turns.sending import Sending
from lycatra_appservice.turns.store import TurnStore
from lycatra_appservice.turns.timers import TIMER, TimerTable
from lycatra_appservice.turns.upkeep import Upkeep
from lycatra_appservice.turns.worker import Renewed, Worker, WorkerTiming
from lycatra_appservice.words.catalogue import load_catalogue

JOINED_CHANNEL: Final = "lycatra_joined"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """The worker with all that its turns need."""

    worker: Worker
    upkeep: Upkeep
    conversations: ConversationStore
    looking: LookingAround
    ground: Ground
    approving: Approving


async def build_chat(
    parts: Parts,
    rooms: RoomStore,
    models: RunningModels | None,
    board: HealthBoard,
    trail: AuditTrail,
    schedules: Mapping[str, Job],
    as_trigger: AsTrigger,
    on_news: OnNews = told_to_nobody,
) -> Chat:
    """Build the handlers and the worker that runs them."""
    tongue = Tongue(load_catalogue(), parts.settings.rooms.language)
    composer = Composer(parts.users, tongue, parts.settings.rooms)
    conversations = ConversationStore(parts.database)
    notices = NoticeStore(parts.database)
    unasked = Unasked(notices, parts.settings.rooms, parts.metrics)
    asides = Asides(notices)
    rights = Rights(parts.access, Standings(rooms, parts.client, parts.users))
    contexts = _contexts(parts, board)
    gate = _gate(parts, rights, contexts, trail)
    private = PrivateAnswers(rooms, _direct_line(parts, rooms), composer)
    ground = _ground(parts, rooms, rights, gate)
    approving = build_approving(ground, composer, tongue, trail, parts.settings.zone, utc_now)
    calls = ProgressNotices(composer)
    agent = _agent(parts, models)
    budgets = build_budgets(parts)
    talking = build_talking(ground, conversations, private, trail.flush, utc_now)
    answering = None
    if agent is not None:
        answering = Answering(
            agent,
            parts.registry,
            conversations,
            composer,
            private,
            parts.settings.zone,
            talking.gathering,
            talking.looking,
            parts.users,
            approving.desk,
            approving.settling,
            asides,
            budgets,
            parts.metrics,
        )
    drafts = Drafts(composer, parts.registry, private, calls, parts.preview)
    ask = AskHandler(
        answering,
        gate,
        conversations,
        composer,
        private,
        asides,
        TypingNotice(parts.client),
        models.patience if models else timedelta(0),
        drafts,
        _without_model(parts, gate, private, asides),
    )
    sources = _sources(parts, gate, trail, conversations, private)
    page = SettingsPage(
        make_settings(load_catalogue().languages, list(parts.settings.backends)),
        parts.settings.rooms,
        RoomSettingsStore(parts.database),
        rights,
    )
    control = _control(
        parts, rights, gate, trail, sources, private, composer, page, has_model=models is not None
    )
    second = build_second_thoughts(
        ground, conversations, composer, sources, as_trigger, approving.voting, parts.reader
    )
    news = build_news(
        ground,
        approving,
        composer,
        calls,
        contexts,
        parts.settings.tool_settings,
        parts.settings.announcements,
        on_news,
        page,
        parts.settings.zone,
        utc_now,
    )
    questions = build_questions(ground, composer)
    message = MessageHandler(
        parts.users,
        rooms,
        Situations(rooms, ThreadStore(parts.database), parts.ignored, rights),
        Router(parts.users, parts.reader, has_model=models is not None),
        composer,
        Answerers(
            command=CommandHandler(
                gate,
                parts.registry,
                parts.users,
                composer,
                private,
                approving.desk,
                approving.settling,
                calls,
                _questions(parts),
            ),
            ask=ask,
            alone=ShownAlone(
                agent, rights, talking.looking, conversations, composer, asides, parts.users
            ),
            stop=second.stop,
            vote=approving.voting,
            usage=UsageHandler(
                UsagePage(budgets, rights, rooms, parts.settings.zone), rights, private, composer
            ),
            mcp=_tokens(parts, ground, private, composer),
            subscribing=news.subscribing,
            answering=questions.answering,
            control=control,
        ),
        unasked,
        asides,
        Pacing(budgets, rights, notices, composer, parts.metrics),
    )
    timers = build_timers(ground, composer)
    encrypted = _encrypted(parts, ground, unasked)
    coming = _coming_and_going(
        parts,
        ground,
        encrypted,
        Arrival(unasked, _welcome(parts, gate), encrypted),
        both(both(approving.forsaken.left, timers.left), news.teller.left),
    )
    handlers = Handlers(
        message=message,
        edit=second.edit,
        redaction=second.redaction,
        reaction=second.reaction,
        encrypted=EncryptedHandler(parts.users, rooms, parts.client, encrypted),
        invitation=coming.invitation,
        state=coming.state,
        schedules=schedules,
        jobs={
            **coming.jobs,
            **second.jobs,
            **approving.jobs,
            **news.jobs,
            **questions.jobs,
            ENCRYPTED_ROOM: encrypted.explain,
            DIRECT_ROOM: encrypted.begin,
            TIMER: timers.run,
            PROGRESS: ProgressEnd(ProgressTable(parts.database), parts.client, tongue).run,
            DRAFT: DraftEnd(
                DraftTable(parts.database), parts.client, tongue, rooms, decrypts=parts.decrypts
            ).run,
            EMOJI: EmojiShown(tongue).say,
            UNREADABLE: Unreadable(parts.users, rooms, unasked, tongue).say,
            REPAIR: DraftRepair(Echoes(parts.database)).run,
            CALL: _changing(parts, ground, approving).run,
        },
    )
    dispatcher = Dispatcher(parts.users, handlers)
    worker, upkeep = _worker(parts, rooms, dispatcher, models)
    return Chat(
        worker=worker,
        upkeep=upkeep,
        conversations=conversations,
        looking=news.looking,
        ground=ground,
        approving=approving,
    )


def _tokens(
    parts: Parts, ground: Ground, private: PrivateAnswers, composer: Composer
) -> TokenHandler:
    mcp = parts.settings.mcp
    public = mcp.public_url or parts.settings.appservice.url
    shop = TokenShop(
        database=parts.database,
        tokens=TokenStore(parts.database),
        rooms=ground.rooms,
        rights=ground.rights,
        private=private,
        composer=composer,
        url=f"{public}{PATH}" if mcp.enabled else None,
        with_tokens=mcp.auth == "token",
    )
    return TokenHandler(shop)


def _changing(parts: Parts, ground: Ground, approving: Approving) -> ChangingTurn:
    return ChangingTurn(
        CallStore(parts.database),
        ground.gate,
        approving.desk,
        approving.settling,
        ground.rooms,
        parts.users,
        _direct_line(parts, ground.rooms),
    )


def _without_model(
    parts: Parts, gate: Gate, private: PrivateAnswers, asides: Asides
) -> WithoutModel:
    questions = plain_questions(parts.registry)
    return WithoutModel(gate, parts.registry, parts.users, private, asides, questions)


def _questions(parts: Parts) -> ReadyQuestions:
    settings = parts.settings
    return ReadyQuestions(
        parts.registry, settings.tool_settings, has_model=bool(settings.backends)
    )


def _sources(
    parts: Parts,
    gate: Gate,
    trail: AuditTrail,
    conversations: ConversationStore,
    private: PrivateAnswers,
) -> SourcesPage:
    return SourcesPage(
        KnownTurns(parts.database),
        conversations,
        AuditStore(parts.database),
        trail.flush,
        gate,
        private,
        parts.mask,
        parts.settings.zone,
    )


def _control(
    parts: Parts,
    rights: Rights,
    gate: Gate,
    trail: AuditTrail,
    sources: SourcesPage,
    private: PrivateAnswers,
    composer: Composer,
    page: SettingsPage,
    *,
    has_model: bool,
) -> ControlHandler:
    help_page = HelpPage(
        gate,
        parts.registry,
        parts.users,
        parts.commands,
        _questions(parts),
        has_model=has_model,
    )
    audit = AuditPage(
        AuditStore(parts.database),
        trail.flush,
        rights,
        private,
        parts.users,
        parts.settings.zone,
    )
    who_am_i = WhoAmI(rights, parts.registry)
    secrecy = SecrecyPage(KeyDevices(parts.database) if parts.decrypts else None)
    return ControlHandler(rights, who_am_i, help_page, page, audit, sources, secrecy, composer)


def _encrypted(parts: Parts, ground: Ground, unasked: Unasked) -> EncryptedRooms:
    return EncryptedRooms(
        parts.users,
        ground.rooms,
        SharedRooms(parts.database, ground.rooms, parts.users),
        parts.direct_rooms(ground.rooms),
        parts.inbox,
        unasked,
        ground.rights,
        _welcome(parts, ground.gate),
        decrypts=parts.decrypts,
    )


def _ground(parts: Parts, rooms: RoomStore, rights: Rights, gate: Gate) -> Ground:
    return Ground(
        users=parts.users,
        rooms=rooms,
        client=parts.client,
        database=parts.database,
        inbox=parts.inbox,
        gate=gate,
        rights=rights,
        registry=parts.registry,
        limits=parts.settings.invitations,
        defaults=parts.settings.rooms,
        seals=parts.seals,
    )


def _coming_and_going(
    parts: Parts,
    ground: Ground,
    encrypted: EncryptedRooms,
    arrival: Arrival,
    on_left: OnLeft,
) -> ComingAndGoing:
    return build_coming_and_going(
        ground,
        arrival,
        _direct_line(parts, ground.rooms),
        encrypted,
        parts.metrics,
        lambda: _announce_join(parts.database),
        on_left,
    )


def _direct_line(parts: Parts, rooms: RoomStore) -> DirectLine:
    tongue = Tongue(load_catalogue(), parts.settings.rooms.language)
    return DirectLine(parts.users, parts.direct_rooms(rooms), tongue)


def _welcome(parts: Parts, gate: Gate) -> Welcome:
    return Welcome(
        gate,
        parts.registry,
        parts.users,
        Tongue(load_catalogue(), parts.settings.rooms.language),
        parts.settings.rooms,
        parts.settings.backends,
    )


async def _announce_join(database: Database) -> None:
    """Tell the leader, wherever it runs, that a room may hold what nobody pushed to us."""
    async with database.transaction() as connection:
        await connection.notify(JOINED_CHANNEL)


def _contexts(parts: Parts, board: HealthBoard) -> Contexts:
    return Contexts(
        zone=parts.settings.zone,
        allowed_targets=parts.settings.tools_http.allow,
        base_folder=parts.settings.base_folder,
        settings=parts.settings.tool_settings,
        components=board.components,
        clock=utc_now,
        memory=StateStore(parts.database, parts.conceal),
        databases=parts.tool_databases,
        timers=StoredTimers(TimerTable(parts.database)),
        conceal=parts.conceal,
    )


def _gate(parts: Parts, rights: Rights, contexts: Contexts, trail: AuditTrail) -> Gate:
    return Gate(
        parts.registry,
        rights,
        contexts,
        parts.metrics,
        trail,
        mask=parts.mask,
        conceal=parts.conceal,
        rule_for=ConfiguredRules(parts.settings.approvals),
    )


def _agent(parts: Parts, models: RunningModels | None) -> Agent | None:
    if models is None:
        return None
    name = parts.settings.bot.display_name
    return Agent(models.models, name=name, conceal=parts.conceal, watch=models.watch)


def _worker(
    parts: Parts, rooms: RoomStore, dispatcher: Dispatcher, models: RunningModels | None
) -> tuple[Worker, Upkeep]:
    turns = parts.settings.turns
    beside: Sequence[Renewed] = [models.slots] if models else []
    deadlines = deadlines_beyond(models.patience) if models else DEADLINES
    deadlines = deadlines_with_servers(deadlines, parts.settings.mcp_servers)
    store = TurnStore(parts.database, parts.owner, turns.lease)
    journal = Journal(parts.database, parts.owner)
    deliverer = MatrixDeliverer(
        parts.client, parts.users, is_encrypted=rooms.is_encrypted, seals=parts.seals
    )
    sending = Sending(journal, deliverer, parts.metrics)
    runner = TurnRunner(store, journal, sending, dispatcher, parts.metrics, deadlines)
    upkeep = Upkeep(parts.database, parts.owner, turns.lease, tools=parts.registry.digest)
    timing = WorkerTiming(lease=turns.lease, poll=turns.poll)
    slots = {kind: getattr(turns.slots, kind) for kind in LaneKind}
    signals, metrics = parts.opened.signals, parts.metrics
    worker = Worker(store, upkeep, runner, signals, metrics, timing, slots, beside)
    return worker, upkeep
