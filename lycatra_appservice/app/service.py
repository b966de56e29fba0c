"""The running service: what is started in which order, and ended in the reverse one."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from time import monotonic, time
from typing import Final

from aiohttp import web

from lycatra_appservice.agent.model_wait import WaitStore
from lycatra_appservice.app.chat import JOINED_CHANNEL, Chat, build_chat
from lycatra_appservice.app.duties import (
    GAPS,
    RETENTION,
    Bookkeeping,
    Presence,
    Retention,
    make_duties,
    make_retirement,
    make_withdrawal,
)
from lycatra_appservice.app.encryption import Keys, build_keys, check_secret
from lycatra_appservice.app.listeners import Listeners
from lycatra_appservice.app.mcp import McpFace, build_mcp, open_mcp
from lycatra_appservice.app.models import RunningModels, run_models
from lycatra_appservice.app.parts import Parts, build_parts
from lycatra_appservice.app.probes import make_probes
from lycatra_appservice.app.remote import build_servers
from lycatra_appservice.app.second_thoughts import as_trigger_by
from lycatra_appservice.app.tools_watch import ToolsWatch
from lycatra_appservice.app.traces import open_traces
from lycatra_appservice.audit.trail import AuditTrail
from lycatra_appservice.chat.handlers.dispatch import Job
from lycatra_appservice.chat.room_jobs import RoomJobs
from lycatra_appservice.db.migrate import migrate
from lycatra_appservice.db.open import new_owner_id, open_database, sqlite_path
from lycatra_appservice.db.worker_lock import WorkerLock
from lycatra_appservice.errors import StoreBusyError, StoreUnavailableError
from lycatra_appservice.hooks.open_hooks import open_hooks
from lycatra_appservice.hooks.routes import Hooks
from lycatra_appservice.intake.classify import Classifier
from lycatra_appservice.intake.found import FoundEventStore
from lycatra_appservice.intake.receiving import Receiving
from lycatra_appservice.intake.routes import Intake
from lycatra_appservice.intake.sorter import EventSorter
from lycatra_appservice.intake.token import HomeserverToken
from lycatra_appservice.matrix.crypto.lease import CRYPTO_CHANNEL, MISSED
from lycatra_appservice.matrix.gaps import GapCheck
from lycatra_appservice.matrix.ghosts import Ghosts
from lycatra_appservice.matrix.heartbeat import Heartbeat, Pinger
from lycatra_appservice.matrix.rooms import ROOM_CHANNEL, RoomStore
from lycatra_appservice.matrix.watch import HomeserverWatch
from lycatra_appservice.ops.health import HealthBoard, Readiness
from lycatra_appservice.ops.routes import ops_routes
from lycatra_appservice.settings import Settings
from lycatra_appservice.toolkit.own.found import FoundTools
from lycatra_appservice.toolkit.remote.servers import RemoteServers
from lycatra_appservice.turns.leader import Duty, Leader
from lycatra_appservice.turns.replicas import Replicas
from lycatra_appservice.turns.schedule import ScheduleStore

logger = logging.getLogger(__name__)

_LONGEST_PAUSE_SECONDS: Final = 5.0
_KEYS_AGAIN: Final = timedelta(seconds=1)


class Service:
    """One replica. `run` ends after `stop`, when everything is handed over and closed."""

    def __init__(self, settings: Settings, tools: FoundTools) -> None:
        """`tools` are those that the settings were checked with."""
        self._settings = settings
        self._tools = tools
        self._stopping = asyncio.Event()
        self.started = asyncio.Event()
        self.owner = new_owner_id()
        self.port = 0

    def stop(self) -> None:
        """Begin the orderly end; safe to call again, and from a signal handler."""
        self._stopping.set()

    async def run(self) -> None:
        """Serve until stopped. Raises LycatraError when it cannot start."""
        async with AsyncExitStack() as stack:
            parts = await self._prepare(stack)
            if self._stopping.is_set():
                return
            await check_secret(self._settings, parts.database)
            await self._serve(parts, stack)

    async def _prepare(self, stack: AsyncExitStack) -> Parts:
        url = self._settings.database.url.get_secret_value()
        path = sqlite_path(url)
        if path is not None:
            await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
            self._hold(path, stack)
        opened = await open_database(
            url, owner=self.owner, pool_size=self._settings.database.pool_size
        )
        stack.push_async_callback(opened.database.close)
        parts = await build_parts(self._settings, self._tools, self.owner, opened, stack)
        await self._migrate(parts)
        return parts

    @staticmethod
    def _hold(path: Path, stack: AsyncExitStack) -> None:
        stack.enter_context(WorkerLock(path))

    async def _migrate(self, parts: Parts) -> None:
        """Bring the schema up to date, waiting for a database that is not there yet."""
        pause = 0.2
        while not self._stopping.is_set():
            try:
                version = await migrate(parts.database)
            except StoreBusyError:
                raise
            except StoreUnavailableError as error:
                logger.warning("waiting_for_database", extra={"error": str(error)})
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
            else:
                logger.info("schema_ready", extra={"schema": version})
                return

    async def _serve(self, parts: Parts, stack: AsyncExitStack) -> None:
        tracer = open_traces(
            self._settings.otlp, stack, instance=self.owner, conceal=parts.conceal
        )
        waiting = WaitStore(parts.database, parts.owner, self._settings.turns.lease)
        signals = parts.opened.signals
        models = run_models(
            self._settings.backends, parts.metrics, stack, waiting, signals, tracer
        )
        tools = ToolsWatch(parts.tools, Replicas(parts.database))
        board = HealthBoard(make_probes(parts, models.probes if models else {}, tools))
        stack.push_async_callback(board.close)
        readiness = Readiness(board)
        jobs = RoomJobs(parts.inbox)
        rooms = RoomStore(parts.database, parts.client, parts.users, jobs.after_reading)
        schedules: dict[str, Job] = {}
        parts.opened.signals.listen(ROOM_CHANNEL, rooms.forget_hinted)
        classifier = Classifier(parts.users, parts.reader, parts.ignored, decrypts=parts.decrypts)
        sorter = EventSorter(classifier, rooms)
        keys = build_keys(parts, rooms, sorter)
        receiving = Receiving(keys.raw if keys else None)
        trail = await stack.enter_async_context(AuditTrail(parts.database))
        shared = open_mcp(parts)
        chat = await build_chat(
            parts, rooms, models, board, trail, schedules, as_trigger_by(sorter), shared.on_news
        )
        mcp = build_mcp(parts, chat, shared) if self._settings.mcp.enabled else None
        schedules |= chat.looking.watching()
        schedules["retention"] = Retention(parts, chat.upkeep, chat.conversations).run
        pinger = Pinger(parts.client, self._settings.appservice.id)
        gaps = GapCheck(
            parts.database,
            parts.client,
            parts.users,
            FoundEventStore(parts.database, parts.inbox, sorter, receiving),
            parts.metrics,
            keys.devices.of if keys else None,
        )
        heartbeat = Heartbeat(
            parts.database, parts.opened.signals, parts.client, parts.users, pinger, gaps.check
        )
        leader = self._leader(parts, chat, heartbeat, gaps, pinger, tools, keys)
        parts.opened.signals.listen(JOINED_CHANNEL, lambda _: leader.hurry(GAPS))
        parts.opened.signals.listen(
            CRYPTO_CHANNEL, lambda payload: leader.hurry(GAPS) if payload == MISSED else None
        )
        intake = Intake(
            self._token(),
            parts.inbox,
            sorter,
            parts.users,
            parts.metrics,
            heartbeat.arrived,
            receiving,
        )
        listeners = await stack.enter_async_context(Listeners())
        hooks = Hooks(
            open_hooks(parts.registry.namespaces, self._settings.tool_settings),
            parts.inbox,
            parts.metrics,
            time,
        )
        servers = build_servers(
            self._settings.mcp_servers,
            parts.registry,
            parts.database,
            parts.opened.signals,
            parts.direct_rooms(rooms),
            parts.conceal,
        )
        routes = [*intake.routes(), *hooks.routes(), *(mcp.routes() if mcp else ())]
        await self._listen(listeners, routes, board, readiness, parts)
        await self._work(parts, chat, mcp, leader, readiness, pinger, models, servers, keys)

    def _leader(
        self,
        parts: Parts,
        chat: Chat,
        heartbeat: Heartbeat,
        gaps: GapCheck,
        pinger: Pinger,
        tools: ToolsWatch,
        keys: Keys | None,
    ) -> Leader:
        ghosts = Ghosts(parts.database, parts.client, parts.users, self._settings.bot.avatar)
        schedules = ScheduleStore(parts.database, parts.inbox)

        async def catch_up() -> None:
            await pinger.ping()
            await gaps.check()

        duties = make_duties(
            Presence(ghosts, heartbeat, gaps),
            HomeserverWatch(parts.client, catch_up),
            Bookkeeping(parts, schedules, chat.upkeep, [RETENTION, *chat.looking.schedules()]),
            tools,
            make_retirement(parts, tools),
            make_withdrawal(parts, tools),
        )
        if keys is not None and keys.sync is not None:
            duties = [*duties, Duty(name="keys", every=_KEYS_AGAIN, run=keys.sync.run)]
        return Leader(parts.opened.signals, duties, parts.metrics.hide_database)

    def _token(self) -> HomeserverToken:
        appservice = self._settings.appservice
        previous = appservice.hs_token_previous
        return HomeserverToken([appservice.hs_token, *([previous] if previous else [])])

    async def _listen(
        self,
        listeners: Listeners,
        main: Sequence[web.RouteDef],
        board: HealthBoard,
        readiness: Readiness,
        parts: Parts,
    ) -> None:
        appservice = self._settings.appservice
        ops = ops_routes(board, readiness, parts.metrics)
        beside = [] if appservice.ops else ops
        self.port = await listeners.open(appservice.listen, [*main, *beside])
        if appservice.ops:
            await listeners.open(appservice.ops, ops)

    async def _work(
        self,
        parts: Parts,
        chat: Chat,
        mcp: McpFace | None,
        leader: Leader,
        readiness: Readiness,
        pinger: Pinger,
        models: RunningModels | None,
        servers: RemoteServers,
        keys: Keys | None,
    ) -> None:
        async with asyncio.TaskGroup() as group:
            signals = group.create_task(parts.opened.signals.run(), name="signals")
            working = group.create_task(chat.worker.run(), name="worker")
            remote = group.create_task(servers.run(), name="remote-servers")
            readiness.start()
            self.started.set()
            logger.info("ready", extra={"port": self.port})
            pinging = group.create_task(_ping(pinger), name="ping")
            leading = group.create_task(leader.run(), name="leader")
            collecting = group.create_task(mcp.ground.hub.run(), name="mcp") if mcp else None
            keeping = group.create_task(keys.owner.run(), name="keys") if keys else None
            if models is not None:
                group.create_task(models.warm_up(), name="model-warm-up")
            await self._stopping.wait()
            await self._drain(chat, mcp, readiness, parts)
            await working
            if keys is not None and keeping is not None:
                # The last: what was answered until now had to be encrypted.
                keys.owner.stop()
                await keeping
            for task in (pinging, leading, signals, remote, collecting):
                if task is not None:
                    task.cancel()

    async def _drain(
        self, chat: Chat, mcp: McpFace | None, readiness: Readiness, parts: Parts
    ) -> None:
        began = monotonic()
        logger.info("draining")
        readiness.drain()
        span = self._settings.turns.drain
        await asyncio.gather(chat.worker.drain(span), *([mcp.drain(span)] if mcp else []))
        parts.metrics.drained(timedelta(seconds=monotonic() - began))


async def _ping(pinger: Pinger) -> None:
    await pinger.ping()
