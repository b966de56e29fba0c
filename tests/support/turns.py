"""The turn engine under test: its parts on one database, a room to send into, whole replicas."""

import asyncio
import itertools
import json
from collections import Counter, defaultdict, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, TypeAlias

from lycatra_appservice.db.connection import Database, Signals
from lycatra_appservice.db.statements import parse_statement
from lycatra_appservice.errors import LycatraError
from lycatra_appservice.model import EventID, LaneKind, Outgoing, RoomID, SendKind, UserID
from lycatra_appservice.turns.delivery import Delivered, Delivery, SendRow
from lycatra_appservice.turns.inbox import Inbox
from lycatra_appservice.turns.journal import Journal
from lycatra_appservice.turns.records import StoredTurn, Trigger, lane_of_room
from lycatra_appservice.turns.revisions import Revisions
from lycatra_appservice.turns.runner import DEADLINES, TurnRunner
from lycatra_appservice.turns.sending import Sending
from lycatra_appservice.turns.store import TurnStore
from lycatra_appservice.turns.turn import Turn, TurnHandler
from lycatra_appservice.turns.upkeep import Upkeep
from lycatra_appservice.turns.worker import SLOTS, Worker, WorkerTiming

BOT = UserID("@lycatra:example.org")
ROOM = "!room"
LEASE = timedelta(seconds=15)
# Beats and polls often, so that tests are quick; a lease no loaded machine can miss.
FAST = WorkerTiming(
    lease=timedelta(seconds=10),
    beat=timedelta(milliseconds=50),
    poll=timedelta(milliseconds=50),
    hand_over=timedelta(seconds=5),
)
_PATIENCE_SECONDS = 20

Script: TypeAlias = Callable[[Turn], Awaitable[Sequence[Outgoing]]]
ScriptedDelivery: TypeAlias = Delivery | Exception | Callable[[SendRow], Awaitable[Delivery]]


def trigger(
    name: str, room: str = ROOM, kind: LaneKind = LaneKind.ASK, **content: object
) -> Trigger:
    """Make a trigger; its lane is that of the room and kind."""
    lane = lane_of_room(RoomID(room), kind)
    return Trigger(id=name, lane=lane, kind=kind, input=json.dumps({"room": room, **content}))


def message(body: str, room: str = ROOM) -> Outgoing:
    """Make something to say."""
    content = {"msgtype": "m.text", "body": body}
    return Outgoing(kind=SendKind.MESSAGE, room_id=RoomID(room), sender=BOT, content=content)


async def query(database: Database, text: str, **parameters: object) -> list[Mapping[str, Any]]:
    """Run a statement of the test's own."""
    return list(await database.fetch(parse_statement("test", text), **parameters))


async def turn_states(database: Database) -> dict[str, str]:
    """The state of each turn by its trigger id, in order of the turns' ids."""
    found = await query(database, "SELECT trigger_id, state FROM turn ORDER BY id")
    return {row["trigger_id"]: row["state"] for row in found}


async def lane_row(database: Database, room: str = ROOM) -> Mapping[str, Any]:
    """The lane of a room's questions; `ready_in_ms` beside its columns."""
    found = await query(
        database,
        "SELECT *, ready_at - lycatra_now() AS ready_in_ms FROM lane WHERE key = :key",
        key=lane_of_room(RoomID(room), LaneKind.ASK),
    )
    return found[0]


async def everything(database: Database) -> dict[str, list[Mapping[str, Any]]]:
    """All rows of the engine's tables, to see that nothing was written."""
    orders = {"lane": "key", "turn": "id", "step": "turn_id, name", "send": "turn_id, n"}
    return {
        table: await query(database, f"SELECT * FROM {table} ORDER BY {order}")  # noqa: S608 (fixed names)
        for table, order in orders.items()
    }


async def until(check: Callable[[], Awaitable[bool]]) -> None:
    """Wait for something that can only be asked for."""
    async with asyncio.timeout(_PATIENCE_SECONDS):
        for pause in itertools.chain([0.0], itertools.repeat(0.01)):
            if await check():
                return
            await asyncio.sleep(pause)


async def until_ended(database: Database, *triggers: str) -> dict[str, str]:
    """Wait until these turns, or all, have ended; return the states."""

    async def ended() -> bool:
        states = await turn_states(database)
        watched = triggers or states
        return all(states.get(t) in ("done", "failed", "cancelled") for t in watched)

    await until(ended)
    return await turn_states(database)


async def until_true(check: Callable[[], bool]) -> None:
    """Wait for something in this process."""

    async def asked() -> bool:
        return check()

    await until(asked)


class Engine:
    """The parts of the turn engine that one replica has on its database."""

    def __init__(self, database: Database, owner: str = "one", lease: timedelta = LEASE) -> None:
        self.database = database
        self.inbox = Inbox(database)
        self.store = TurnStore(database, owner, lease)
        self.journal = Journal(database, owner)
        self.upkeep = Upkeep(database, owner, lease)
        self.revisions = Revisions(database)


class ScriptedHandler:
    """Answers every trigger with its id, unless a test has scripted it otherwise."""

    def __init__(self) -> None:
        self.scripts: dict[str, Script] = {}
        self.runs: Counter[str] = Counter()

    async def handle(self, turn: Turn) -> Sequence[Outgoing]:
        """Count the run and play the script."""
        self.runs[turn.trigger_id] += 1
        script = self.scripts.get(turn.trigger_id)
        if script is not None:
            return await script(turn)
        return [message(f"answer to {turn.trigger_id}", str(turn.input.get("room", ROOM)))]

    async def apologise(self, stored: StoredTurn, error: LycatraError) -> Sequence[Outgoing]:
        """Say the error's own words."""
        return [message(f"sorry: {error.user_message}", str(stored.input.get("room", ROOM)))]


class Rooms:
    """The rooms of a homeserver with no memory of transaction ids: a blind resend shows twice.

    Scripted outcomes are used up one a try, by the body of the message.
    """

    def __init__(self) -> None:
        self.timeline: list[SendRow] = []
        self.tries: list[tuple[SendRow, bool]] = []  # with look_first
        self._scripts: defaultdict[str, deque[ScriptedDelivery]] = defaultdict(deque)
        self._sent: dict[str, EventID] = {}

    def script(self, body: str, *outcomes: ScriptedDelivery) -> None:
        """Say what comes of the next tries of a message."""
        self._scripts[body].extend(outcomes)

    def said(self, room: str = ROOM) -> list[str]:
        """What stands in a room, in order."""
        return [str(row.content.get("body")) for row in self.timeline if row.room_id == room]

    def looks(self, body: str) -> list[bool]:
        """For each try of a message, whether it was to be looked for first."""
        return [look for row, look in self.tries if row.content.get("body") == body]

    async def deliver(self, row: SendRow, *, look_first: bool) -> Delivery:
        """Do the row, or what the script says."""
        self.tries.append((row, look_first))
        script = self._scripts[str(row.content.get("body"))]
        if script:
            outcome = script.popleft()
            if isinstance(outcome, Exception):
                raise outcome
            return await outcome(row) if callable(outcome) else outcome
        if look_first and row.txn_id in self._sent:
            return Delivered(self._sent[row.txn_id])
        return self.put(row)

    def put(self, row: SendRow) -> Delivered:
        """Put the event into its room."""
        self.timeline.append(row)
        self._sent[row.txn_id] = EventID(f"$event-{len(self.timeline)}")
        return Delivered(self._sent[row.txn_id])


class Figures:
    """All observers of the engine; keeps what it is told."""

    def __init__(self) -> None:
        self.outcomes: list[str] = []
        self.wakes: Counter[str] = Counter()
        self.most_used: Counter[LaneKind] = Counter()
        self.recovered_lanes = 0
        self.lost_leases = 0
        self.resends_found = 0
        self.unasked_ones: Counter[tuple[str, str]] = Counter()
        self.sent: Counter[SendKind] = Counter()
        self.put_off: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self.invitations: Counter[str] = Counter()
        self.break_on_start: list[Exception] = []

    def turn_started(self, kind: LaneKind, waited: timedelta) -> None:
        """Raise what a test wants raised outside every handler."""
        if self.break_on_start:
            raise self.break_on_start.pop(0)

    def turn_ended(self, kind: LaneKind, outcome: str, took: timedelta) -> None:
        """Keep the outcome."""
        self.outcomes.append(outcome)

    def woken(self, by: str) -> None:
        """Count it."""
        self.wakes[by] += 1

    def slots(self, kind: LaneKind, used: int) -> None:
        """Keep the highest."""
        self.most_used[kind] = max(self.most_used[kind], used)

    def recovered(self, lanes: int) -> None:
        """Count them."""
        self.recovered_lanes += lanes

    def lease_lost(self) -> None:
        """Count it."""
        self.lost_leases += 1

    def unasked(self, kind: str, outcome: str) -> None:
        """Count it."""
        self.unasked_ones[kind, outcome] += 1

    def invited(self, outcome: str) -> None:
        """Count it."""
        self.invitations[outcome] += 1

    def resend_found(self) -> None:
        """Count it."""
        self.resends_found += 1

    def row_sent(self, kind: SendKind) -> None:
        """Count them by kind."""
        self.sent[kind] += 1

    def row_put_off(self, reason: str) -> None:
        """Count them by reason."""
        self.put_off[reason] += 1

    def row_dropped(self, reason: str) -> None:
        """Count them by reason."""
        self.dropped[reason] += 1


class Replica(Engine):
    """A whole worker with its database and hints."""

    def __init__(
        self,
        database: Database,
        signals: Signals,
        owner: str,
        handler: TurnHandler,
        rooms: Rooms,
        timing: WorkerTiming = FAST,
        deadlines: Mapping[LaneKind, timedelta] = DEADLINES,
        slots: Mapping[LaneKind, int] = SLOTS,
    ) -> None:
        super().__init__(database, owner, timing.lease)
        self.owner = owner
        self.signals = signals
        self.figures = Figures()
        runner = TurnRunner(
            self.store,
            self.journal,
            Sending(self.journal, rooms, self.figures),
            handler,
            self.figures,
            deadlines,
            first_retry=timedelta(milliseconds=20),
        )
        self.runner = runner
        self.worker = Worker(self.store, self.upkeep, runner, signals, self.figures, timing, slots)
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, *, listening: bool = True) -> None:
        """Work in the background; not `listening`, it hears no hint."""
        if listening:
            connected = asyncio.Event()

            async def ready() -> None:
                connected.set()

            self._tasks.append(asyncio.create_task(self.signals.run(ready)))
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await connected.wait()
        self._tasks.insert(0, asyncio.create_task(self.worker.run()))

    async def drain(self, grace: timedelta = timedelta(0)) -> None:
        """End as on SIGTERM."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await self.worker.drain(grace)
            await self._tasks[0]
        await self.crash()

    async def crash(self) -> None:
        """End at once; nothing is given back."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task

    async def forget_leases(self, owner: str | None = None) -> None:
        """Have the leases of an owner, else our own, end now, as if they had not been renewed."""
        await query(
            self.database,
            "UPDATE lane SET lease_until = 0 WHERE owner = :owner",
            owner=owner or self.owner,
        )
