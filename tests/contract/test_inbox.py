"""What is pushed to us is stored once, whole and in order, before anybody reads 200."""

import asyncio
from collections.abc import Sequence, Set
from dataclasses import replace
from datetime import timedelta
from itertools import product
from urllib.parse import urlsplit

import asyncpg
import pytest

from lycatra_appservice.db.connection import Connection, Database
from lycatra_appservice.db.migrate import UpgradableDatabase, migrate
from lycatra_appservice.db.open import open_database
from lycatra_appservice.errors import StoreUnavailableError
from lycatra_appservice.model import LaneKind
from lycatra_appservice.turns.inbox import Inbox
from lycatra_appservice.turns.records import DeadLetter, Lease, StoredTurn, Trigger
from tests.support.postgres import PostgresServer
from tests.support.tcp_proxy import TcpProxy
from tests.support.turns import Engine, query, trigger, turn_states

MONTH = timedelta(days=30)
Pair = tuple[UpgradableDatabase, UpgradableDatabase]
LETTER = DeadLetter(event_id="$bad", reason="not an object", raw=b"\x00\xff")


async def test_a_trigger_pushed_again_is_no_second_turn(database: Database) -> None:
    inbox = Inbox(database)

    assert await inbox.store([trigger("$a")], txn_id="1") == 1
    assert await inbox.store([trigger("$a")], txn_id="1") == 0
    assert await inbox.store([trigger("$a"), trigger("$b")], txn_id="2") == 1
    assert list(await turn_states(database)) == ["$a", "$b"]


async def test_a_trigger_twice_in_one_push_is_one_turn(database: Database) -> None:
    assert await Inbox(database).store([trigger("$a"), trigger("$a")]) == 1


async def test_a_push_that_reaches_two_replicas_at_once_is_stored_once(
    database_pair: Pair,
) -> None:
    push = [trigger(f"${n}", room=f"!{n % 5}") for n in range(20)]

    async with asyncio.timeout(20):
        stored = await asyncio.gather(*(Inbox(d).store(push) for d in database_pair * 4))

    assert sum(stored) == 20
    assert list(await turn_states(database_pair[0])) == [t.id for t in push]


async def test_the_same_events_in_opposite_order_at_two_replicas_are_stored_once(
    database_pair: Pair,
) -> None:
    push = [trigger(f"${n}", room=f"!{n}") for n in range(50)]
    first, second = (Inbox(database) for database in database_pair)

    async with asyncio.timeout(20):
        stored = await asyncio.gather(first.store(push), second.store(push[::-1]))

    assert sum(stored) == 50
    assert len(await turn_states(database_pair[0])) == 50


async def test_turns_stand_in_the_order_of_the_push(database: Database) -> None:
    names = [f"${n}" for n in (5, 3, 9, 1, 7)]

    await Inbox(database).store(
        [trigger(name, room="!z" if n % 2 else "!a") for n, name in enumerate(names)]
    )

    assert list(await turn_states(database)) == names


async def test_every_lane_of_a_push_gets_ready(database: Database) -> None:
    push = [
        trigger("$1"),
        trigger("$2"),
        trigger("$3", room="!other"),
        trigger("$4", kind=LaneKind.COMMAND),
    ]

    assert await Inbox(database).store(push) == 4

    lanes = await query(
        database, "SELECT key, kind FROM lane WHERE ready_at IS NOT NULL ORDER BY key"
    )
    assert [(lane["key"], lane["kind"]) for lane in lanes] == [
        ("!other|ask", "ask"),
        ("!room|ask", "ask"),
        ("!room|command", "command"),
    ]


async def test_a_known_trigger_wakes_nobody(database: Database) -> None:
    engine = Engine(database)
    await engine.inbox.store([trigger("$a")])
    [(lease, turn)] = await engine.store.claim(LaneKind.ASK, 1)
    await engine.store.finish(lease, turn, "done", go_on=False)

    await engine.inbox.store([trigger("$a")])

    assert await engine.store.ready_kinds() == []


async def test_dead_letters_come_with_the_turns(database: Database) -> None:
    stored = await Inbox(database).store([trigger("$a")], txn_id="1", dead_letters=[LETTER])

    assert stored == 1
    [letter] = await query(database, "SELECT event_id, reason, raw FROM dead_letter")
    assert DeadLetter(**letter) == LETTER
    assert await query(database, "SELECT id FROM txn") == [{"id": "1"}]


async def test_a_push_with_a_value_that_cannot_be_stored_stores_nothing_of_it(
    database: Database,
) -> None:
    good = trigger("$good")
    bads = (
        replace(good, id="nul \0"),
        replace(good, lane="nul \0"),
        replace(good, input="nul \0"),
    )

    for bad, letters in product(bads, ([], [LETTER])):
        with pytest.raises(ValueError, match=r"cannot store|contains NUL"):
            await Inbox(database).store([good, bad], dead_letters=letters, txn_id="1")

    assert await turn_states(database) == {}
    assert await query(database, "SELECT key FROM lane") == []
    assert await query(database, "SELECT id FROM txn UNION SELECT reason FROM dead_letter") == []


async def test_somebody_elses_transaction_that_fails_takes_the_turns_along(
    database: Database,
) -> None:
    async def store_and_fail() -> None:
        async with database.transaction() as connection:
            await Inbox(database).store_with(connection, [trigger("$a")], [LETTER])
            raise LookupError

    with pytest.raises(LookupError):
        await store_and_fail()

    assert await turn_states(database) == {}
    assert await query(database, "SELECT id FROM dead_letter") == []


async def test_what_goes_alongside_is_told_only_of_what_is_new(database: Database) -> None:
    told: list[set[str]] = []

    async def note(connection: Connection, new: Set[str]) -> None:
        told.append(set(new))

    inbox = Inbox(database)
    assert await inbox.store([trigger("$a")], alongside=note) == 1
    assert await inbox.store([trigger("$a"), trigger("$b")], alongside=note) == 1
    assert await inbox.store([trigger("$b")], alongside=note) == 0

    assert told == [{"$a"}, {"$b"}, set()]


async def test_nothing_is_stored_without_what_goes_alongside(database: Database) -> None:
    async def break_off(connection: Connection, new: Set[str]) -> None:
        raise StoreUnavailableError("away")

    with pytest.raises(StoreUnavailableError):
        await Inbox(database).store([trigger("$a")], alongside=break_off)

    assert await turn_states(database) == {}


async def test_any_json_comes_back_as_it_was(database: Database) -> None:
    content = {"body": "nul \0, lone \ud800, \U0001f44d", "n": float("inf"), "\0": [None]}
    engine = Engine(database)

    await engine.inbox.store([trigger("$a", content=content)])

    [(_, turn)] = await engine.store.claim(LaneKind.ASK, 1)
    assert turn.input["content"] == content


@pytest.mark.parametrize("text", ["[" * 100_000, "not json", "[1]", '"text"'])
async def test_an_input_that_cannot_be_read_holds_up_no_claim(
    database: Database, text: str
) -> None:
    engine = Engine(database)
    await engine.inbox.store([replace(trigger("$a"), input=text), trigger("$b", room="!other")])

    claimed = {turn.trigger_id: turn for _, turn in await engine.store.claim(LaneKind.ASK, 9)}

    assert claimed["$a"].input == {}
    assert claimed["$b"].input == {"room": "!other"}


async def test_a_push_is_one_commit(postgres_server: PostgresServer, postgres_dsn: str) -> None:
    database = (await open_database(postgres_dsn)).database
    await migrate(database)
    await database.close()
    pushes = [
        [trigger(f"${n}.{event}", room=f"!{event % 7}") for event in range(10)] for n in range(30)
    ]

    async def commits_of(some: Sequence[Sequence[Trigger]]) -> int:
        before = await _figure(postgres_server, postgres_dsn, "xact_commit")
        database = (await open_database(postgres_dsn, pool_size=1)).database
        for push in some:
            assert await Inbox(database).store(push, txn_id=push[0].id) == 10
        await database.close()
        return await _figure(postgres_server, postgres_dsn, "xact_commit") - before

    # What a connection costs beside goes out; the smallest, because the server itself commits,
    # too, when it cleans up.
    few = min([await commits_of(pushes[n : n + 1]) for n in range(3)])
    many = min([await commits_of(pushes[n : n + 9]) for n in (3, 12, 21)])
    assert many - few == 8


async def _figure(server: PostgresServer, dsn: str, column: str) -> int:
    """A figure of pg_stat_database, once every session of the database has reported."""
    connection = await asyncpg.connect(server.dsn)
    try:
        async with asyncio.timeout(20):
            while await connection.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = $1", _name(dsn)
            ):
                pass
        figures = await connection.fetchrow(
            "SELECT * FROM pg_stat_database WHERE datname = $1", _name(dsn)
        )
        assert figures is not None
        return int(figures[column])
    finally:
        await connection.close()


def _name(dsn: str) -> str:
    return urlsplit(dsn).path.lstrip("/")


class Traffic:
    """Everything that locks lanes, for as long as something is pushed."""

    def __init__(self) -> None:
        self.pushing = 2

    async def push(self, engine: Engine, rooms: Sequence[str]) -> None:
        for n in range(20):
            push = [trigger(f"$from {rooms[0]}, {n}, {room}", room=room) for room in rooms]
            # Every other push takes the path of several statements.
            await engine.inbox.store(push, dead_letters=[LETTER] if n % 2 else [])
        self.pushing -= 1

    async def work(self, engine: Engine) -> None:
        held: dict[Lease, StoredTurn] = {}
        while self.pushing or held:
            held |= dict(await engine.store.claim(LaneKind.ASK, 50))
            await engine.upkeep.beat(list(held))
            for lease, turn in list(held.items()):
                following = await engine.store.finish(lease, turn, "done", go_on=True)
                del held[lease]
                if following is not None:
                    held[lease] = following

    async def tidy(self, engine: Engine, rooms: Sequence[str]) -> None:
        while self.pushing:
            for room in rooms:
                await engine.revisions.cancel(f"$from {rooms[0]}, 19, {room}")
            await engine.upkeep.sweep()
            await engine.upkeep.forget(turns=MONTH, sends=MONTH, dead_letters=MONTH)


@pytest.mark.slow
async def test_replicas_that_push_the_same_lanes_in_opposite_order_do_not_deadlock(
    database_pair: Pair, database_url: str, request: pytest.FixtureRequest
) -> None:
    rooms = [f"!{n:02}" for n in range(50)]
    first, second = database_pair
    traffic = Traffic()

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(traffic.push(Engine(first), rooms))
        group.create_task(traffic.push(Engine(second), rooms[::-1]))
        group.create_task(traffic.work(Engine(first, "worker")))
        group.create_task(traffic.tidy(Engine(second), rooms[::-1]))

    assert len(await turn_states(first)) == 2000
    if database_url.startswith("postgres"):
        await first.close()
        await second.close()
        server: PostgresServer = request.getfixturevalue("postgres_server")
        assert await _figure(server, database_url, "deadlocks") == 0


async def test_a_push_whose_answer_was_lost_is_stored_once(postgres_dsn: str) -> None:
    async with TcpProxy.before(postgres_dsn) as proxy:
        database = (await open_database(proxy.url, pool_size=1)).database
        await migrate(database)
        inbox = Inbox(database)
        await inbox.store([trigger("$before")])

        proxy.drop_answer_to(b"$lost")
        with pytest.raises(StoreUnavailableError):
            await inbox.store([trigger("$lost")])
        assert proxy.lost_answers == 1

        assert await inbox.store([trigger("$lost"), trigger("$after")]) == 1
        assert list(await turn_states(database)) == ["$before", "$lost", "$after"]
        await database.close()
