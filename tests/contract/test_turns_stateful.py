"""Whatever two replicas do in whatever order: lanes keep their order, each turn ends once.

And what it says belongs to the words that it had last.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from lycatra_appservice.db.migrate import UpgradableDatabase
from lycatra_appservice.model import EventID, LaneKind
from lycatra_appservice.turns.delivery import Delivered
from lycatra_appservice.turns.records import (
    CancelledByPersonError,
    LaneLostError,
    Lease,
    OpenSend,
    StoredTurn,
)
from lycatra_appservice.turns.revisions import Replaced, Revisions
from tests.support.turns import Engine, message, query, trigger

ROOMS = 3
ENDED = ("done", "failed", "cancelled")
_words = iter(range(1_000_000))
_runs = iter(range(1_000_000))  # each example has trigger ids and rooms of its own


@dataclass(slots=True)
class Held:
    """A turn in a replica's hands; `pending` once its answer is written."""

    lease: Lease
    turn: StoredTurn
    pending: Sequence[OpenSend] | None = None


@dataclass(frozen=True, slots=True)
class Do:
    """One thing that the replica `who` does; `pick` chooses what with."""

    what: str
    who: int
    pick: int


class World:
    """Two replicas with what each believes to hold, and a homeserver that remembers txn ids."""

    def __init__(self, databases: Sequence[UpgradableDatabase], name: str) -> None:
        self.name = name
        self.engines = [Engine(database, f"{name}-{n}") for n, database in enumerate(databases)]
        self.held: list[list[Held]] = [[], []]
        self.pushed: list[str] = []
        self.sent: defaultdict[str, list[str]] = defaultdict(list)  # trigger ids by lane
        self.steps: list[tuple[str, int]] = []  # with the run
        self.words: dict[str, str] = {}  # the last that were accepted
        self.said: dict[str, str] = {}
        self.ends: list[str] = []
        self.being_edited: set[str] = set()  # in life a room's edits come one by one
        self.edits: Counter[Replaced] = Counter()

    async def do(self, batch: Sequence[Do]) -> None:
        """Do some things at the same time; two of them never are about one held turn."""
        busy: set[int] = set()
        await asyncio.gather(*(self._do(do, busy) for do in batch))

    async def _do(self, do: Do, busy: set[int]) -> None:
        engine, held = self.engines[do.who], self.held[do.who]
        if do.what in WITHOUT_TURN:
            await WITHOUT_TURN[do.what](self, engine, do)
            return
        item = held[do.pick % len(held)] if held else None
        if item is None or id(item) in busy:
            return
        busy.add(id(item))
        try:
            await WITH_TURN[do.what](self, engine, held, item)
        except LaneLostError:
            if item in held:  # unless it crashed meanwhile
                held.remove(item)

    # --- without a turn ---

    async def enqueue(self, engine: Engine, do: Do) -> None:
        names = [f"{self.name}.{len(self.pushed) + n}" for n in range(1 + do.pick % 2)]
        self.pushed += names
        rooms = [f"!{self.name}.{(do.pick + n) % ROOMS}" for n in range(2)]
        await engine.inbox.store([trigger(t, room) for t, room in zip(names, rooms, strict=False)])

    async def claim(self, engine: Engine, do: Do) -> None:
        claimed = await engine.store.claim(LaneKind.ASK, 1 + do.pick % 2)
        self.held[do.who] += [Held(lease, turn) for lease, turn in claimed]

    async def beat(self, engine: Engine, do: Do) -> None:
        held = self.held[do.who]
        lost = await engine.upkeep.beat([item.lease for item in held])
        held[:] = [item for item in held if item.lease not in lost]

    async def free(self, engine: Engine, do: Do) -> None:
        await engine.upkeep.free_dead()

    async def let_leases_end(self, engine: Engine, do: Do) -> None:
        await query(
            engine.database,
            "UPDATE lane SET lease_until = 0 WHERE owner = :owner",
            owner=engine.store.owner,
        )

    async def crash(self, engine: Engine, do: Do) -> None:
        self.held[do.who].clear()
        await self.let_leases_end(engine, do)

    async def cancel(self, engine: Engine, do: Do) -> None:
        if self.pushed:
            await engine.revisions.cancel(self.pushed[do.pick % len(self.pushed)])

    async def edit(self, engine: Engine, do: Do) -> None:
        if not self.pushed:
            return
        # The latest, which are probably open.
        name = self.pushed[-1 - do.pick % min(4, len(self.pushed))]
        if name in self.being_edited:
            return
        self.being_edited.add(name)
        words, room = f"words {next(_words)}", f"!{self.name}.{do.pick % ROOMS}"
        outcome = await Revisions(engine.database).replace(
            trigger(name, room, words=words), reopen=False
        )
        self.being_edited.remove(name)
        if outcome in (Replaced.QUEUED, Replaced.RESTARTED):
            self.words[name] = words
            self.edits[outcome] += 1

    async def end_back_offs(self, engine: Engine, do: Do) -> None:
        await query(engine.database, "UPDATE turn SET run_at = 0")
        await query(engine.database, "UPDATE lane SET ready_at = 0 WHERE ready_at > 0")

    async def sweep(self, engine: Engine, do: Do) -> None:
        await query(engine.database, "UPDATE turn SET created_at = 0")
        assert await engine.upkeep.sweep() == 0

    # --- with a turn ---

    async def journal(self, engine: Engine, held: list[Held], item: Held) -> None:
        if item.pending is None and not await engine.journal.steps(item.turn):
            await engine.journal.record(
                item.lease, item.turn, "step", "hash", done=True, output=None
            )
            self.steps.append((item.turn.trigger_id, item.turn.first_n))

    async def begin(self, engine: Engine, held: list[Held], item: Held) -> None:
        if item.turn.state == "sending":
            item.pending = await engine.journal.open_sends(item.turn)
        elif item.pending is None:
            try:
                item.pending = await engine.store.begin_sending(
                    item.lease,
                    item.turn,
                    item.turn.first_n,
                    [message(str(item.turn.input.get("words", "")))],
                )
            except CancelledByPersonError:
                await self._end(engine, held, item, "cancelled", go_on=False)

    async def mark(self, engine: Engine, held: list[Held], item: Held) -> None:
        if item.pending:
            body = str(item.pending[0].row.content["body"])
            await engine.journal.mark_sent(
                item.lease, item.pending[0].row, Delivered(EventID("$sent"))
            )
            item.pending = []
            self.sent[item.turn.lane].append(item.turn.trigger_id)
            self.said[item.turn.trigger_id] = body

    async def go_on(self, engine: Engine, held: list[Held], item: Held) -> None:
        if item.pending == []:
            await self._end(engine, held, item, "done", go_on=True)

    async def leave(self, engine: Engine, held: list[Held], item: Held) -> None:
        if item.pending == []:
            await self._end(engine, held, item, "done", go_on=False)

    async def hand_over(self, engine: Engine, held: list[Held], item: Held) -> None:
        await engine.store.put_back(item.lease, item.turn, timedelta(0), failed=False)
        held.remove(item)

    async def fail(self, engine: Engine, held: list[Held], item: Held) -> None:
        await engine.store.put_back(item.lease, item.turn, timedelta(hours=1), failed=True)
        held.remove(item)

    async def _end(
        self, engine: Engine, held: list[Held], item: Held, state: str, *, go_on: bool
    ) -> None:
        following = await engine.store.finish(item.lease, item.turn, state, go_on=go_on)
        self.ends.append(item.turn.trigger_id)
        held.remove(item)
        if following is not None:
            held.append(Held(item.lease, following))

    async def work_off(self) -> None:
        """Let one replica end everything, after the other one has crashed."""
        engine, no = self.engines[0], Do("", 0, 0)
        await self.crash(self.engines[1], Do("", 1, 0))
        while await self._left(engine):
            await self.end_back_offs(engine, no)
            await engine.upkeep.free_dead()
            await self.claim(engine, no)
            for item in list(self.held[0]):
                for what in ("begin", "mark", "go on"):
                    if item in self.held[0]:
                        await self._do(Do(what, 0, self.held[0].index(item)), set())

    async def _left(self, engine: Engine) -> bool:
        found = await query(engine.database, "SELECT state FROM turn")
        return any(row["state"] not in ENDED for row in found)


WITHOUT_TURN: dict[str, Callable[[World, Engine, Do], Awaitable[None]]] = {
    "enqueue": World.enqueue,
    "claim": World.claim,
    "beat": World.beat,
    "free": World.free,
    "let leases end": World.let_leases_end,
    "crash": World.crash,
    "cancel": World.cancel,
    "edit": World.edit,
    "end back-offs": World.end_back_offs,
    "sweep": World.sweep,
}
WITH_TURN: dict[str, Callable[[World, Engine, list[Held], Held], Awaitable[None]]] = {
    "journal": World.journal,
    "begin": World.begin,
    "mark": World.mark,
    "go on": World.go_on,
    "leave": World.leave,
    "hand over": World.hand_over,
    "fail": World.fail,
}
# What makes headway comes more often than what breaks.
WEIGHED = [
    *("enqueue", "claim", "begin", "mark", "go on", "leave", "journal") * 3,
    *("beat", "free", "let leases end", "crash", "cancel", "end back-offs", "sweep"),
    *("edit", "edit"),
    *("hand over", "fail"),
]
SOMETHING = st.builds(
    Do, what=st.sampled_from(WEIGHED), who=st.integers(0, 1), pick=st.integers(0, 11)
)
HISTORIES = st.lists(st.lists(SOMETHING, min_size=1, max_size=3), min_size=10, max_size=40)


@settings(
    max_examples=80,
    deadline=None,
    derandomize=True,
    report_multiple_bugs=False,
    phases=[Phase.generate],  # a history is short enough to read; shrinking it takes minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(history=HISTORIES)
async def test_lanes_keep_their_order_and_each_turn_ends_once_whatever_happens(
    database_pair: tuple[UpgradableDatabase, UpgradableDatabase], history: list[list[Do]]
) -> None:
    world = World(database_pair, f"run{next(_runs)}")
    engine = world.engines[0]

    async with asyncio.timeout(20):
        for batch in history:
            await world.do(batch)
        await world.sweep(engine, Do("", 0, 0))
        await world.work_off()

    turns = await query(
        engine.database,
        "SELECT * FROM turn WHERE trigger_id LIKE :run ORDER BY id",
        run=f"{world.name}.%",
    )
    assert sorted(turn["trigger_id"] for turn in turns) == sorted(world.pushed)
    assert all(turn["finished_at"] for turn in turns)
    assert len(set(world.ends)) == len(world.ends)
    assert len(set(world.steps)) == len(world.steps)

    for name, words in world.words.items():
        assert world.said.get(name, words) == words
    done = {turn["trigger_id"] for turn in turns if turn["state"] == "done"}
    order = [turn["trigger_id"] for turn in turns]
    for sent in world.sent.values():
        assert len(sent) == len(set(sent))
        unmoved = [name for name in sent if name not in world.words]
        assert unmoved == sorted(unmoved, key=order.index)
    said = {name for sent in world.sent.values() for name in sent}
    assert done <= said
    assert (await engine.upkeep.figures())[:2] == ({}, 0)
    await world.sweep(engine, Do("", 0, 0))
