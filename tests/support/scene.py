"""The chat on a stub homeserver: events come as by a push, turns run when a test says so."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from zoneinfo import ZoneInfo

import aiohttp
from pydantic import SecretStr

from lycatra_appservice.agent.loop import Agent
from lycatra_appservice.agent.model_wait import WaitStore
from lycatra_appservice.agent.tracing import NO_TRACES, Tracer
from lycatra_appservice.app.approving import Approving, build_approving
from lycatra_appservice.app.coming_and_going import Ground, build_coming_and_going
from lycatra_appservice.app.models import RunningModels, measured_models, run_models
from lycatra_appservice.app.news import build_news
from lycatra_appservice.app.second_thoughts import as_trigger_by, build_second_thoughts
from lycatra_appservice.app.talking import build_talking
from lycatra_appservice.app.timing import both, build_timers
from lycatra_appservice.audit.store import AuditStore
from lycatra_appservice.audit.trail import AuditTrail
from lycatra_appservice.budgets.budgets import Budgets
from lycatra_appservice.budgets.limits import Limits
from lycatra_appservice.budgets.store import BudgetStore
from lycatra_appservice.chat.answering import Answering
from lycatra_appservice.chat.arrival import Arrival
from lycatra_appservice.chat.asides import Asides
from lycatra_appservice.chat.audit_page import AuditPage
from lycatra_appservice.chat.commands import CommandWords
from lycatra_appservice.chat.compose import Composer
from lycatra_appservice.chat.conversation import ConversationStore
from lycatra_appservice.chat.direct_line import DirectLine
from lycatra_appservice.chat.draft import Drafts, DraftTiming
from lycatra_appservice.chat.draft_end import DraftEnd, DraftRepair
from lycatra_appservice.chat.encrypted_rooms import EncryptedRooms
from lycatra_appservice.chat.handlers.answering_questions import AnsweringHandler
from lycatra_appservice.chat.handlers.ask import AskHandler
from lycatra_appservice.chat.handlers.command import CommandHandler
from lycatra_appservice.chat.handlers.control import ControlHandler
from lycatra_appservice.chat.handlers.dispatch import Dispatcher, Handlers
from lycatra_appservice.chat.handlers.encrypted import EncryptedHandler
from lycatra_appservice.chat.handlers.message import Answerers, MessageHandler
from lycatra_appservice.chat.handlers.usage import UsageHandler
from lycatra_appservice.chat.help_page import HelpPage
from lycatra_appservice.chat.ignored import Ignored
from lycatra_appservice.chat.language import Tongue
from lycatra_appservice.chat.news.looking import LookingAround
from lycatra_appservice.chat.news.publishing import told_to_nobody
from lycatra_appservice.chat.pacing import Pacing
from lycatra_appservice.chat.private_answers import PrivateAnswers
from lycatra_appservice.chat.progress import ProgressNotices, ProgressTiming
from lycatra_appservice.chat.progress_end import ProgressEnd
from lycatra_appservice.chat.reading import make_reader
from lycatra_appservice.chat.ready_questions import ReadyQuestions
from lycatra_appservice.chat.room_jobs import RoomJobs
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
from lycatra_appservice.chat.usage_page import UsagePage
from lycatra_appservice.chat.welcome import Welcome
from lycatra_appservice.chat.whoami import WhoAmI
from lycatra_appservice.chat.without_model import WithoutModel, plain_questions
from lycatra_appservice.db.connection import Database, Signals
from lycatra_appservice.db.migrate import migrate
from lycatra_appservice.db.open import open_database
from lycatra_appservice.errors import ToolFailedError
from lycatra_appservice.intake.classify import Classifier
from lycatra_appservice.intake.sorter import EventSorter
from lycatra_appservice.matrix.client import MatrixClient
from lycatra_appservice.matrix.delivery import MatrixDeliverer
from lycatra_appservice.matrix.direct_rooms import DirectRooms
from lycatra_appservice.matrix.encrypted_notice import DIRECT_ROOM, ENCRYPTED_ROOM
from lycatra_appservice.matrix.rooms import RoomStore
from lycatra_appservice.matrix.shared_rooms import SharedRooms
from lycatra_appservice.matrix.standings import Standings
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.mcp.calls import CALL, CallStore
from lycatra_appservice.mcp.changing import ChangingTurn
from lycatra_appservice.mcp.commanding import TokenHandler, TokenShop
from lycatra_appservice.mcp.tokens import TokenStore
from lycatra_appservice.model import JSON, EventID, Face, Level, Outgoing, RoomID, UserID
from lycatra_appservice.ops.health import Probe
from lycatra_appservice.ops.metrics import Metrics
from lycatra_appservice.settings import (
    AnnouncementSettings,
    Approvals,
    Invitations,
    Model,
    Permission,
    PersonShare,
    RoomShare,
)
from lycatra_appservice.settings import Budgets as BudgetSettings
from lycatra_appservice.settings import Rooms as RoomDefaults
from lycatra_appservice.settings_types import UNLIMITED
from lycatra_appservice.toolkit.access import Access
from lycatra_appservice.toolkit.approvals import ConfiguredRules
from lycatra_appservice.toolkit.base import (
    Effect,
    Field,
    Namespace,
    PromptTemplate,
    Tool,
    ToolArgs,
    ToolContext,
    ToolResult,
)
from lycatra_appservice.toolkit.context import Contexts
from lycatra_appservice.toolkit.databases import Databases
from lycatra_appservice.toolkit.permissions import Permissions
from lycatra_appservice.toolkit.redaction import Mask
from lycatra_appservice.toolkit.registry import Registry
from lycatra_appservice.toolkit.rights import Rights
from lycatra_appservice.toolkit.state import StateStore
from lycatra_appservice.toolkit.stored_timers import StoredTimers
from lycatra_appservice.toolkit.toolbox import Gate
from lycatra_appservice.turns.drafts import DRAFT, DraftTable
from lycatra_appservice.turns.echoes import REPAIR, Echoes
from lycatra_appservice.turns.known import KnownTurns
from lycatra_appservice.turns.progress import PROGRESS, ProgressTable
from lycatra_appservice.turns.questions import QuestionTable
from lycatra_appservice.turns.runner import TurnRunner
from lycatra_appservice.turns.sending import Sending
from lycatra_appservice.turns.timers import TIMER, TimerTable
from lycatra_appservice.turns.turn import Turn
from lycatra_appservice.turns.worker import SLOTS, Worker
from lycatra_appservice.words.catalogue import load_catalogue
from tests.support.homeserver_stub import (
    AS_TOKEN,
    SERVER_NAME,
    HomeserverStub,
    running_homeserver_stub,
)
from tests.support.migrated import lay_out
from tests.support.toolbench import CANARY, Calls, Lists, a_tool, all_well
from tests.support.turns import FAST, LEASE, Engine, Figures

PERSON: Final = UserID("@person:hs.test")
OTHER: Final = UserID("@other:hs.test")
STRANGER: Final = UserID("@stranger:elsewhere.org")
MAIN: Final = UserID("@lycatra:hs.test")
ASSISTANT: Final = UserID("@lycatra_assistant:hs.test")
SERVICES: Final = UserID("@lycatra_services:hs.test")
UPDATES: Final = UserID("@lycatra_updates:hs.test")
OTHER_BOT: Final = UserID("@other_bot:hs.test")
# Tests write faster than people.
HASTY: Final = BudgetSettings(
    person=PersonShare(turns_per_minute=UNLIMITED),
    room=RoomShare(turns_per_minute=UNLIMITED),
    answers_in_a_row=1000,
)
IGNORED: Final = Ignored([OTHER_BOT])
EVERYBODY: Final = (PERSON, OTHER, MAIN, ASSISTANT, SERVICES, UPDATES)
ROOM: Final = RoomID("!room-of-version-12")
# A test that is about something else has one event for an answer, on a slow machine, too.
NO_DRAFTS: Final = DraftTiming(after=timedelta(hours=1))
NOW: Final = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
NAMESPACES: Final = [
    Namespace(name="assistant", display_name="Lycatra Assistant", summary="What you can do."),
    Namespace(name="services", display_name="Lycatra Services", summary="What is up."),
    Namespace(name="updates", display_name="Lycatra Updates", summary="What is new."),
]


class ListArgs(ToolArgs):
    limit: int = Field(default=3, ge=1, le=50, description="How many.")


class NoArgs(ToolArgs):
    """Nothing to choose."""


async def list_updates(args: ListArgs, ctx: ToolContext) -> ToolResult:
    return ToolResult(
        data={"updates": args.limit}, markdown=f"{args.limit} updates", note="more with limit=9"
    )


async def help_out(args: NoArgs, ctx: ToolContext) -> ToolResult:
    return ToolResult(data={}, markdown=f"{len(ctx.visible_tools())} commands")


async def fail(args: NoArgs, ctx: ToolContext) -> ToolResult:
    raise ToolFailedError("The disk is full.")


async def crash(args: NoArgs, ctx: ToolContext) -> ToolResult:
    raise RuntimeError("secret detail")


TOOLS: Final[Mapping[str, Sequence[Tool[ToolArgs]]]] = {
    "assistant": [a_tool(name="help", run=help_out, args=NoArgs)],
    "services": [
        a_tool(name="get_status", run=fail, args=NoArgs),
        a_tool(name="crash_hard", run=crash, args=NoArgs),
        a_tool(name="restart_service", args=NoArgs, effect=Effect.CHANGE),
        a_tool(name="search_journal", args=NoArgs, level=Level.OPERATOR),
    ],
    "updates": [a_tool(name="list_updates", run=list_updates, args=ListArgs)],
}


class ModelSettings(Model):
    """A model of a test, which does not wait long."""

    model: str = "test-model"
    first_token_timeout: timedelta = timedelta(seconds=5)
    idle_timeout: timedelta = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Said:
    """A message of ours in a room."""

    by: UserID
    body: str
    content: Mapping[str, Any]


class Scene:
    """One replica's chat, made by `open_scene`."""

    def __init__(
        self,
        stub: HomeserverStub,
        database: Database,
        users: VirtualUsers,
        client: MatrixClient,
        patience: timedelta,
        limits: Invitations,
        commands: CommandWords,
        owner: str,
    ) -> None:
        self.stub = stub
        self.database = database
        self.users = users
        self.client = client
        self.engine = Engine(database, owner)
        jobs = RoomJobs(self.engine.inbox)
        self.rooms = RoomStore(database, client, users, jobs.after_reading)
        self.limits = limits
        self.joins = 0
        self.now = NOW  # for freeze times and until when; ages are the homeserver's
        self.zone = ZoneInfo("UTC")
        self.patience = patience
        self.progress = ProgressTiming()
        self.drafts = NO_DRAFTS
        self.preview: Mask = str
        self.figures = Figures()
        self.scheduled: list[str] = []
        self.models: Mapping[str, Model] = {}
        self.budgets = HASTY
        self.metrics = Metrics()  # of the models; the rest is in `figures`
        self.probes: Mapping[str, Probe] = {}  # of the models
        self._commands = commands
        self._reader = make_reader(users, self._commands)
        classifier = Classifier(users, self._reader, IGNORED)
        self.sorter = EventSorter(classifier, self.rooms)
        self._ids = itertools.count(1)
        self.runner: TurnRunner
        self.trail: AuditTrail
        self.signals: Signals
        self.running: RunningModels | None = None
        self.looking: LookingAround
        self.ground: Ground
        self.approving: Approving
        self.announcements: Sequence[AnnouncementSettings] = ()

    def build(
        self,
        registry: Registry,
        gate: Gate,
        rights: Rights,
        agent: Agent | None,
        trail: AuditTrail,
        contexts: Contexts,
    ) -> None:
        """Put the handlers together."""
        self.trail = trail
        tongue = Tongue(load_catalogue())
        shared = SharedRooms(self.database, self.rooms, self.users)
        direct = DirectRooms(self.client, self.users, shared.direct_with)
        direct_line = DirectLine(self.users, direct, tongue)
        composer = Composer(self.users, tongue)
        notices = NoticeStore(self.database)
        unasked = Unasked(notices, RoomDefaults(), self.figures)
        budgets = Budgets(
            BudgetStore(self.database), Limits(self.budgets), self.zone, lambda: self.now
        )
        asides = Asides(notices)
        private = PrivateAnswers(self.rooms, direct_line, composer)
        ground = Ground(
            users=self.users,
            rooms=self.rooms,
            client=self.client,
            database=self.database,
            inbox=self.engine.inbox,
            gate=gate,
            rights=rights,
            registry=registry,
            limits=self.limits,
            defaults=RoomDefaults(),
        )
        approving = build_approving(ground, composer, tongue, trail, self.zone, lambda: self.now)
        self.ground, self.approving = ground, approving
        calls = ProgressNotices(composer, self.progress)
        talking = build_talking(
            ground, ConversationStore(self.database), private, trail.flush, lambda: self.now
        )
        answering = None
        if agent is not None:
            answering = Answering(
                agent,
                registry,
                ConversationStore(self.database),
                composer,
                private,
                ZoneInfo("UTC"),
                talking.gathering,
                talking.looking,
                self.users,
                approving.desk,
                approving.settling,
                asides,
                budgets,
                self.metrics,
            )
        drafts = Drafts(composer, registry, private, calls, self.preview, self.drafts)
        ask = AskHandler(
            answering,
            gate,
            ConversationStore(self.database),
            composer,
            private,
            asides,
            TypingNotice(self.client),
            self.patience,
            drafts,
            WithoutModel(gate, registry, self.users, private, asides, plain_questions(registry)),
        )
        router = Router(self.users, self._reader, has_model=agent is not None)
        settings = SettingsPage(
            make_settings(load_catalogue().languages, list(self.models)),
            RoomDefaults(),
            RoomSettingsStore(self.database),
            rights,
        )
        settings_of_tools = {each.name: each.settings() for each in registry.namespaces}
        questions = ReadyQuestions(registry, settings_of_tools, has_model=agent is not None)
        help_page = HelpPage(
            gate, registry, self.users, self._commands, questions, has_model=agent is not None
        )
        store, zone = AuditStore(self.database), ZoneInfo("UTC")
        audit = AuditPage(store, trail.flush, rights, private, self.users, zone)
        sources = SourcesPage(
            KnownTurns(self.database),
            ConversationStore(self.database),
            store,
            trail.flush,
            gate,
            private,
            _mask,
            zone,
        )
        who_am_i = WhoAmI(rights, registry)
        control = ControlHandler(
            rights, who_am_i, help_page, settings, audit, sources, SecrecyPage(None), composer
        )
        second = build_second_thoughts(
            ground,
            ConversationStore(self.database),
            composer,
            sources,
            as_trigger_by(self.sorter),
            approving.voting,
            self._reader,
        )
        command = CommandHandler(
            gate,
            registry,
            self.users,
            composer,
            private,
            approving.desk,
            approving.settling,
            calls,
            questions,
        )
        news = build_news(
            ground,
            approving,
            composer,
            calls,
            contexts,
            settings_of_tools,
            self.announcements,
            told_to_nobody,
            settings,
            self.zone,
            lambda: self.now,
        )
        self.looking = news.looking
        message = MessageHandler(
            self.users,
            self.rooms,
            Situations(self.rooms, ThreadStore(self.database), IGNORED, rights),
            router,
            composer,
            Answerers(
                command=command,
                ask=ask,
                alone=ShownAlone(
                    agent,
                    rights,
                    talking.looking,
                    ConversationStore(self.database),
                    composer,
                    asides,
                    self.users,
                ),
                stop=second.stop,
                vote=approving.voting,
                subscribing=news.subscribing,
                mcp=TokenHandler(
                    TokenShop(
                        database=self.database,
                        tokens=TokenStore(self.database),
                        rooms=self.rooms,
                        rights=rights,
                        private=private,
                        composer=composer,
                        url="https://bot.hs.test/mcp",
                        with_tokens=True,
                    )
                ),
                answering=AnsweringHandler(QuestionTable(self.database), composer),
                usage=UsageHandler(
                    UsagePage(budgets, rights, self.rooms, self.zone), rights, private, composer
                ),
                control=control,
            ),
            unasked,
            asides,
            Pacing(budgets, rights, notices, composer, self.metrics),
        )
        welcome = Welcome(
            gate,
            registry,
            self.users,
            Tongue(load_catalogue()),
            RoomDefaults(),
            self.models,
        )
        encrypted = EncryptedRooms(
            self.users,
            self.rooms,
            shared,
            direct,
            self.engine.inbox,
            unasked,
            rights,
            welcome,
        )
        timers = build_timers(ground, composer)
        coming = build_coming_and_going(
            ground,
            Arrival(unasked, welcome, encrypted),
            direct_line,
            encrypted,
            self.figures,
            self._note_join,
            both(both(approving.forsaken.left, timers.left), news.teller.left),
        )
        handlers = Handlers(
            message=message,
            edit=second.edit,
            redaction=second.redaction,
            reaction=second.reaction,
            encrypted=EncryptedHandler(self.users, self.rooms, self.client, encrypted),
            invitation=coming.invitation,
            state=coming.state,
            schedules={"nightly": self._job, **news.looking.watching()},
            jobs={
                **coming.jobs,
                **second.jobs,
                **approving.jobs,
                **news.jobs,
                ENCRYPTED_ROOM: encrypted.explain,
                DIRECT_ROOM: encrypted.begin,
                TIMER: timers.run,
                PROGRESS: ProgressEnd(ProgressTable(self.database), self.client, tongue).run,
                DRAFT: DraftEnd(DraftTable(self.database), self.client, tongue, self.rooms).run,
                REPAIR: DraftRepair(Echoes(self.database)).run,
                CALL: ChangingTurn(
                    CallStore(self.database),
                    gate,
                    approving.desk,
                    approving.settling,
                    self.rooms,
                    self.users,
                    direct_line,
                ).run,
            },
        )
        dispatcher = Dispatcher(self.users, handlers)
        journal = self.engine.journal
        deliverer = MatrixDeliverer(self.client, self.users, is_encrypted=self.rooms.is_encrypted)
        self.runner = TurnRunner(
            self.engine.store,
            journal,
            Sending(journal, deliverer, self.figures),
            dispatcher,
            self.figures,
            first_retry=timedelta(0),
        )

    async def _note_join(self) -> None:
        self.joins += 1

    def seat(
        self,
        *members: UserID,
        room_id: RoomID = ROOM,
        state: Mapping[str, JSON] = MappingProxyType({}),
    ) -> None:
        """A room with these people and users of ours in it; `state` by type, without a key."""
        self.stub.add_room(room_id, *members)
        for user in members:
            content = {"membership": "join", "displayname": user.partition(":")[0][1:].title()}
            self.stub.state[room_id, "m.room.member", user] = content
        for kind, content in state.items():
            self.stub.state[room_id, kind, ""] = content

    def message(
        self,
        body: str,
        *,
        sender: UserID = PERSON,
        room_id: RoomID = ROOM,
        age: timedelta = timedelta(0),
        **content: JSON,
    ) -> dict[str, JSON]:
        """A message as it is pushed; `m_relates_to` and the like as keywords."""
        named = {key.replace("m_", "m.", 1): value for key, value in content.items()}
        whole = {"msgtype": "m.text", "body": body, "m.mentions": {}, **named}
        return self.event("m.room.message", whole, sender=sender, room_id=room_id, age=age)

    def member(
        self, user: str, membership: str, *, sender: UserID = PERSON, room_id: RoomID = ROOM
    ) -> dict[str, JSON]:
        """A member event as it is pushed."""
        content = {"membership": membership}
        event = self.event("m.room.member", content, sender=sender, room_id=room_id)
        return {**event, "state_key": user}

    def event(
        self,
        kind: str,
        content: JSON,
        *,
        sender: UserID = PERSON,
        room_id: RoomID = ROOM,
        age: timedelta = timedelta(0),
    ) -> dict[str, JSON]:
        """Any event as it is pushed."""
        return {
            "type": kind,
            "event_id": f"$pushed{next(self._ids)}",
            "room_id": room_id,
            "sender": sender,
            "content": content,
            "unsigned": {"age": round(age / timedelta(milliseconds=1))},
        }

    async def push(self, *events: JSON, via: str = "push") -> None:
        """Store events as the way in does."""
        found = self.sorter.sort(events, via=via)
        assert not found.dead_letters
        triggers = [*found.triggers, *await self.engine.inbox.late(found.echoes)]
        await self.engine.inbox.store(triggers, alongside=found.alongside)

    async def work(self) -> None:
        """Run turns until none is ready."""
        while kinds := await self.engine.store.ready_kinds():
            for kind in kinds:
                for lease, turn in await self.engine.store.claim(kind, 1):
                    await self.runner.run(lease, turn, go_on=False)

    async def hear(self, *events: JSON) -> Sequence[Said]:
        """Push events, work, and return what we said in the room meanwhile."""
        before = len(self.said())
        await self.push(*events)
        await self.work()
        return self.said()[before:]

    async def ask(self, body: str, **more: Any) -> Sequence[Said]:
        """The same for one message."""
        return await self.hear(self.message(body, **more))

    def said(self, room_id: RoomID = ROOM) -> Sequence[Said]:
        """All messages of ours in a room, in order."""
        return [
            Said(UserID(event["sender"]), event["content"].get("body", ""), event["content"])
            for event in self.stub.rooms[room_id].events
            if event["type"] == "m.room.message" and event["sender"] in self.users.all
        ]

    def last_event_id(self, room_id: RoomID = ROOM) -> EventID:
        """The last event of the room."""
        return EventID(self.stub.rooms[room_id].events[-1]["event_id"])

    async def _job(self, turn: Turn) -> Sequence[Outgoing]:
        self.scheduled.append(turn.trigger_id)
        return ()


@asynccontextmanager
async def open_scene(
    folder: Path,
    *,
    model_url: str | None = None,
    lists: Lists | None = None,
    patience: timedelta = timedelta(seconds=60),
    limits: Invitations | None = None,
    tools: Mapping[str, Sequence[Tool[Any]]] = TOOLS,
    prompts: Mapping[str, Sequence[PromptTemplate]] = MappingProxyType({}),
    approvals: Approvals | None = None,
    zone: str = "UTC",
    database_url: str | None = None,
    beside: Scene | None = None,
    rules: Sequence[Permission] = (),
    clock: Callable[[], float] = time.monotonic,
    progress: ProgressTiming | None = None,
    drafts: DraftTiming | None = None,
    model_key: SecretStr | None = None,
    conceal: Mask = str,
    preview: Mask = str,
    models: Mapping[str, Model] = MappingProxyType({}),
    tracer: Tracer = NO_TRACES,
    owner: str = "one",
    budgets: BudgetSettings | None = None,
    namespaces: Sequence[Namespace] = NAMESPACES,
    announcements: Sequence[AnnouncementSettings] = (),
) -> AsyncIterator[Scene]:
    """A scene on SQLite; without `model_url` or `models` no model is configured.

    `beside` shares its homeserver, and its database only where `database_url` says so. By
    `clock` a standing grows old. `owner` tells two replicas of one database apart. `conceal`
    takes the configuration's secrets out of texts, and `preview` out of those that are not
    finished.
    """
    users = VirtualUsers(server_name=SERVER_NAME, namespaces=namespaces)
    registry = Registry(namespaces, tools, prompts)
    permissions = Permissions(rules, registry)
    access = Access(lists or Lists(viewer=["*:hs.test"]), permissions)
    async with AsyncExitStack() as stack:
        stub = beside.stub if beside else None
        if stub is None:
            stub = await stack.enter_async_context(running_homeserver_stub())
        for user in (users.sender, *users.all):
            stub.add_user(user)
        url = database_url or f"sqlite:///{folder / 'lycatra.db'}"
        await lay_out(url)
        opened = await open_database(url, owner=owner)
        database = opened.database
        stack.push_async_callback(database.close)
        await migrate(database)
        trail = await stack.enter_async_context(AuditTrail(database))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        client = MatrixClient(session, stub.url, SecretStr(AS_TOKEN))
        contexts = Contexts(
            zone=ZoneInfo("UTC"),
            allowed_targets=(),
            base_folder=folder,
            settings={each.name: each.settings() for each in namespaces},
            components=all_well,
            clock=lambda: scene.now,
            memory=StateStore(database),
            databases=Databases({}),
            timers=StoredTimers(TimerTable(database)),
            conceal=conceal,
        )
        if model_url is not None:
            models = {"model": ModelSettings(base_url=model_url, api_key=model_key)}
        metrics = Metrics(models=measured_models(models))
        waiting = WaitStore(database, owner, LEASE)
        running = run_models(models, metrics, stack, waiting, opened.signals, tracer)
        has_model = model_url is not None or bool(models)
        asked = prompts if has_model else {}
        commands = CommandWords(tools, ("!", "/"), asked).without(access.off(Face.COMMAND))
        scene = Scene(
            stub, database, users, client, patience, limits or Invitations(), commands, owner
        )
        scene.zone = ZoneInfo(zone)
        scene.announcements = announcements
        scene.budgets = budgets or HASTY
        scene.progress = progress or ProgressTiming()
        scene.drafts, scene.preview = drafts or NO_DRAFTS, preview
        scene.models, scene.metrics = models, metrics
        scene.signals, scene.running = opened.signals, running
        scene.probes = running.probes if running else {}
        rights = Rights(access, Standings(scene.rooms, client, users, clock))
        gate = Gate(
            registry,
            rights,
            contexts,
            Calls(),
            trail,
            mask=_mask,
            conceal=conceal,
            rule_for=ConfiguredRules(approvals or Approvals()),
        )
        scene.build(registry, gate, rights, _agent(running, conceal), trail, contexts)
        yield scene


def _mask(text: str) -> str:
    return text.replace(CANARY, "***")


def _agent(running: RunningModels | None, conceal: Mask) -> Agent | None:
    if running is None:
        return None

    async def no_delay(_: float) -> None:
        """Attempts follow each other at once."""

    return Agent(running.models, delay=no_delay, conceal=conceal, watch=running.watch)


@asynccontextmanager
async def at_work(scene: Scene, *, listening: bool = True) -> AsyncIterator[Worker]:
    """A worker that runs the scene's turns meanwhile; not `listening`, it hears no hint."""
    beside = [scene.running.slots] if scene.running else []
    store, upkeep, figures = scene.engine.store, scene.engine.upkeep, scene.figures
    worker = Worker(store, upkeep, scene.runner, scene.signals, figures, FAST, SLOTS, beside)
    connected = asyncio.Event()

    async def ready() -> None:
        connected.set()

    tasks = [asyncio.create_task(worker.run())]
    if listening:
        tasks.append(asyncio.create_task(scene.signals.run(ready)))
        async with asyncio.timeout(20):
            await connected.wait()
    try:
        yield worker
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
