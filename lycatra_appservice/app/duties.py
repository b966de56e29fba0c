"""What the leader does, and what the schedules run."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Final

from lycatra_appservice.app.budgets import build_budgets
from lycatra_appservice.app.parts import Parts
from lycatra_appservice.app.tools_watch import ToolsWatch
from lycatra_appservice.audit.store import AuditStore
from lycatra_appservice.chat import messages
from lycatra_appservice.chat.conversation import ConversationStore
from lycatra_appservice.chat.threads import ThreadStore
from lycatra_appservice.chat.unasked import NoticeStore
from lycatra_appservice.matrix.crypto.key_retention import KeyRetention
from lycatra_appservice.matrix.gaps import GapCheck
from lycatra_appservice.matrix.ghosts import Ghosts
from lycatra_appservice.matrix.heartbeat import Heartbeat
from lycatra_appservice.matrix.invitations import InvitationStore
from lycatra_appservice.matrix.retirement import Retirement
from lycatra_appservice.matrix.watch import HomeserverWatch
from lycatra_appservice.mcp.calls import CallStore
from lycatra_appservice.mcp.here import Here
from lycatra_appservice.mcp.shared_hub import SharedHub
from lycatra_appservice.mcp.tokens import TokenStore
from lycatra_appservice.model import Outgoing
from lycatra_appservice.toolkit.state import StateStore
from lycatra_appservice.turns.deciding import Deciding
from lycatra_appservice.turns.leader import Duty
from lycatra_appservice.turns.news import NewsTable
from lycatra_appservice.turns.schedule import Schedule, ScheduleStore
from lycatra_appservice.turns.turn import Turn
from lycatra_appservice.turns.upkeep import Upkeep
from lycatra_appservice.turns.votes import VoteStore
from lycatra_appservice.words.catalogue import in_english

GAPS: Final = "gaps"
_NEWS_KEPT: Final = timedelta(days=400)
RETENTION: Final = Schedule(
    name="retention", every=timedelta(hours=1), first_after=timedelta(minutes=10)
)


class Retention:
    """The hourly job that erases what has been kept long enough."""

    def __init__(self, parts: Parts, upkeep: Upkeep, conversations: ConversationStore) -> None:
        self._kept = parts.settings.retention
        self._upkeep = upkeep
        self._conversations = conversations
        self._audit = AuditStore(parts.database)
        self._notices = NoticeStore(parts.database)
        self._budgets = build_budgets(parts)
        self._threads = ThreadStore(parts.database)
        self._state = StateStore(parts.database)
        self._news = NewsTable(parts.database)
        self._keys = KeyRetention(parts.database)
        self._calls = CallStore(parts.database)
        self._tokens = TokenStore(parts.database)
        self._hub = SharedHub(parts.database, Here())
        self._invitations = InvitationStore(
            parts.database, parts.settings.invitations, parts.users.server_name
        )

    async def run(self, _: Turn) -> Sequence[Outgoing]:
        """Erase what is too old."""
        turns = timedelta(days=self._kept.turns_days)
        sends = timedelta(days=self._kept.sends_days)
        await self._upkeep.forget(
            turns=turns,
            sends=sends,
            dead_letters=timedelta(days=self._kept.dead_letters_days),
        )
        await self._conversations.forget(turns)
        await self._notices.forget_expired()
        await self._threads.forget(sends)
        await self._state.forget(sends)
        await self._news.forget(_NEWS_KEPT)
        await self._keys.forget(turns)
        await self._calls.forget()
        await self._tokens.forget()
        await self._hub.forget()
        await self._invitations.forget()
        await self._audit.forget(timedelta(days=self._kept.audit_days))
        await self._budgets.forget(timedelta(days=self._kept.usage_days))
        return ()


class Presence:
    """First our users, then the heartbeat, then the gaps: each needs the one before."""

    def __init__(self, ghosts: Ghosts, heartbeat: Heartbeat, gaps: GapCheck) -> None:
        self._ghosts = ghosts
        self._heartbeat = heartbeat
        self._gaps = gaps
        self._there = asyncio.Event()

    async def ensure_users(self) -> None:
        """Make our users what the configuration says."""
        await self._ghosts.ensure()
        self._there.set()

    async def beat(self) -> None:
        """Send a heartbeat if it has been silent."""
        await self._there.wait()
        await self._heartbeat.beat()

    async def look_for_gaps(self) -> None:
        """Find what was never pushed."""
        await self._there.wait()
        await self._gaps.check()


class Bookkeeping:
    """Schedules, sweeping and the figures that come from the database."""

    def __init__(
        self,
        parts: Parts,
        schedules: ScheduleStore,
        upkeep: Upkeep,
        planned: Sequence[Schedule],
    ) -> None:
        """`planned` are all schedules there are to be."""
        self._planned = planned
        self._metrics = parts.metrics
        self._schedules = schedules
        self._upkeep = upkeep
        self._deciding = Deciding(parts.database)
        self._votes = VoteStore(parts.database)
        self._put = False

    async def run_schedules(self) -> None:
        """Store a turn for each slot that has come."""
        if not self._put:
            await self._schedules.plan(self._planned)
            self._put = True
        await self._schedules.enqueue_due()

    async def end_approvals(self) -> None:
        """End what was not decided in time, what a newer request replaces, what broke off."""
        await self._deciding.expire()
        await self._deciding.supersede()
        await self._deciding.conclude_abandoned()

    async def sweep(self) -> None:
        """Find conversations that nobody would look at, and votes that nobody has counted."""
        self._metrics.swept(await self._upkeep.sweep() + await self._votes.sweep())

    async def show_figures(self) -> None:
        """Read the gauges."""
        turns, unsent, oldest = await self._upkeep.figures()
        self._metrics.show_database(turns, unsent, oldest)


def make_retirement(parts: Parts, tools: ToolsWatch) -> Retirement:
    """What becomes of the users of namespaces that are gone, for certain and on every replica."""

    async def is_gone(namespace: str) -> bool:
        return parts.tools.may_be_gone(namespace) and await tools.replicas_with_others() == 0

    reason = in_english(messages.left_without_tools(parts.users.main))
    return Retirement(parts.database, parts.client, parts.users, is_gone, reason)


def make_withdrawal(parts: Parts, tools: ToolsWatch) -> Callable[[], Awaitable[None]]:
    """What becomes of requests for tools that are gone, for certain and on every replica."""
    deciding = Deciding(parts.database)

    async def withdraw() -> None:
        if await tools.replicas_with_others() == 0:
            await deciding.withdraw_gone(parts.tools.may_tool_be_gone)

    return withdraw


def make_duties(
    presence: Presence,
    watch: HomeserverWatch,
    books: Bookkeeping,
    tools: ToolsWatch,
    retirement: Retirement,
    withdraw_gone: Callable[[], Awaitable[None]],
) -> Sequence[Duty]:
    """All duties with their times."""
    return [
        Duty(name="watch", every=timedelta(seconds=1), run=watch.look),
        Duty(name="users", every=timedelta(hours=6), run=presence.ensure_users),
        Duty(name="heartbeat", every=timedelta(seconds=60), run=presence.beat),
        Duty(name=GAPS, every=timedelta(minutes=5), run=presence.look_for_gaps),
        Duty(name="schedules", every=timedelta(seconds=1), run=books.run_schedules),
        Duty(name="approvals", every=timedelta(seconds=1), run=books.end_approvals),
        Duty(name="sweeper", every=timedelta(seconds=60), run=books.sweep),
        Duty(name="tools", every=timedelta(seconds=60), run=tools.look),
        Duty(name="withdrawal", every=timedelta(seconds=60), run=withdraw_gone),
        Duty(name="retirement", every=timedelta(minutes=10), run=retirement.carry_out),
        Duty(name="figures", every=timedelta(seconds=15), run=books.show_figures),
    ]
