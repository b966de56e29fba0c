"""Places at a model: never more than there are, in a fair order, and none is ever lost."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from lycatra_appservice.agent.backend import ModelQueueFullError
from lycatra_appservice.agent.model_wait import Limit, Standing, WaitStore
from lycatra_appservice.agent.slots import ModelSlots
from lycatra_appservice.errors import StoreUnavailableError
from lycatra_appservice.model import UserID
from tests.support.model_slots import LEASE, Asking, Client, rows, two_clients
from tests.support.tcp_proxy import Mode, TcpProxy
from tests.support.turns import query, until, until_true

ONE = Limit(model="home", at_once=1, waiting=10)
TWO = replace(ONE, at_once=2)


@pytest.fixture
async def clients(database_url: str) -> AsyncIterator[tuple[Client, Client]]:
    async with two_clients(database_url) as made:
        for client in made:
            await client.listen()
            client.beat()
        yield made


@pytest.fixture
async def without_beat(postgres_dsn: str) -> AsyncIterator[tuple[Client, Client]]:
    """Two processes that hear of places, and do not look for any."""
    async with two_clients(postgres_dsn) as made:
        for client in made:
            await client.listen()
        yield made


async def end_all(*askings: Asking) -> None:
    """End them one after the other as they are served."""
    for asking in askings:
        await asking.finish()


async def test_no_more_are_served_at_once_than_there_are_places_over_all_processes(
    clients: tuple[Client, Client],
) -> None:
    one, two = clients
    askings = [await (one, two)[n % 2].ask(f"p{n}", TWO) for n in range(8)]

    async with asyncio.timeout(30):
        await asyncio.gather(*(asking.finish() for asking in askings))

    assert one.model.most == 2
    assert sorted(one.model.served) == [f"p{n}" for n in range(8)]
    assert not await rows(one)


async def test_nor_when_all_come_and_go_at_the_same_moment(database_url: str) -> None:
    async with two_clients(database_url) as clients:
        stores = [WaitStore(each.database, "one", LEASE) for each in clients]
        people = [UserID(f"@p{n}:hs.test") for n in range(8)]
        entering = (
            stores[n % 2].enter(TWO, person, begun=True) for n, person in enumerate(people)
        )
        entered = await asyncio.gather(*entering)
        running = [number for number, standing in entered if standing.is_running]
        assert len(running) == 2

        leaving = (store.leave(TWO, number) for store in stores for number in running)
        await asyncio.gather(*leaving)
        assert (await rows(clients[0]))["running"] == 2


async def test_models_of_other_names_have_places_of_their_own(
    clients: tuple[Client, Client],
) -> None:
    home = await clients[0].ask("a", ONE)
    cloud = await clients[0].ask("b", replace(ONE, model="cloud"))

    assert clients[0].model.now == ["a", "b"]
    await end_all(home, cloud)


async def test_who_asks_much_does_not_hold_up_who_asks_once(
    clients: tuple[Client, Client],
) -> None:
    one, two = clients
    many = [await one.ask(f"many{n}", ONE, person="many") for n in range(4)]
    few = [await two.ask(name, ONE) for name in ("few1", "few2")]

    await end_all(many[0], *few, *many[1:])

    assert one.model.served == ["many0", "few1", "few2", "many1", "many2", "many3"]


async def test_who_was_served_comes_back_behind_those_who_wait_since(
    clients: tuple[Client, Client],
) -> None:
    one, two = clients
    many = [await one.ask(f"many{n}", ONE, person="many") for n in range(2)]
    others = [await two.ask(f"other{n}", ONE) for n in range(2)]
    await end_all(many[0], others[0])

    again = await two.ask("other0 again", ONE, person="other0")
    new = await one.ask("new", ONE)
    await end_all(others[1], new, many[1], again)

    assert one.model.served == ["many0", "other0", "other1", "new", "many1", "other0 again"]
    assert not await rows(one)


async def test_each_round_serves_everybody_before_anybody_again(
    clients: tuple[Client, Client],
) -> None:
    one, two = clients
    first = [await (one, two)[n % 2].ask(f"p{n}", TWO) for n in range(10)]
    again = []
    for n, asking in enumerate(first):
        await asking.finish()
        again.append(await (one, two)[n % 2].ask(f"p{n} again", TWO, person=f"p{n}", begun=True))
    await end_all(*again)

    assert one.model.served == [f"p{n}" for n in range(10)] + [f"p{n} again" for n in range(10)]
    assert one.model.most == 2


async def test_who_waits_hears_how_many_come_first_whenever_that_changes(
    clients: tuple[Client, Client],
) -> None:
    one, two = clients
    served = [await one.ask(f"p{n}", TWO) for n in range(2)]
    waiting = [await two.ask(f"w{n}", TWO) for n in range(3)]
    assert [each.hearer.ahead for each in (*served, *waiting)] == [[], [], [2], [3], [4]]

    await end_all(served[0])
    await until_true(lambda: waiting[2].hearer.ahead == [4, 3])
    await end_all(served[1])
    await until_true(lambda: waiting[2].hearer.ahead == [4, 3, 2])
    await end_all(*waiting)
    assert waiting[0].hearer.ahead == [2]


async def test_when_too_many_come_first_a_request_is_refused_and_leaves_nothing(
    clients: tuple[Client, Client],
) -> None:
    one, _ = clients
    short = replace(ONE, waiting=2)
    askings = [await one.ask(f"p{n}", short) for n in range(3)]

    refused = await one.ask("p3", short)

    with pytest.raises(ModelQueueFullError, match="2 requests wait for home already"):
        await refused.task
    assert await rows(one) == {"running": 1, "waiting": 2}
    assert one.figures.refused == 1
    await end_all(*askings)


async def test_one_person_cannot_fill_the_queue_for_others(
    clients: tuple[Client, Client],
) -> None:
    one, two = clients
    short = replace(ONE, waiting=2)
    many = [await one.ask(f"many{n}", short, person="many") for n in range(3)]

    other = await two.ask("other", short)

    assert other.hearer.ahead == [1]
    await end_all(many[0], other, *many[1:])


async def test_a_question_that_has_begun_is_let_in_however_many_wait(
    clients: tuple[Client, Client],
) -> None:
    one, _ = clients
    none = replace(ONE, waiting=0)
    first = await one.ask("first", none)
    second = await one.ask("second", none, begun=True)

    assert second.hearer.ahead == [1]
    await end_all(first, second)


async def test_who_gives_up_while_waiting_is_out_of_the_line_at_once(
    without_beat: tuple[Client, Client],
) -> None:
    one, two = without_beat
    first = await one.ask("first", ONE)
    second = await two.ask("second", ONE)
    third = await two.ask("third", ONE)

    await second.cancel()
    await first.finish()

    await third.finish()
    assert one.model.served == ["first", "third"]
    assert not await rows(one)


async def test_who_is_stopped_while_being_served_makes_room_at_once(
    without_beat: tuple[Client, Client],
) -> None:
    one, two = without_beat
    first = await one.ask("first", ONE)
    second = await two.ask("second", ONE)

    await first.cancel()

    await second.finish()
    assert not await rows(one)


class Halting(WaitStore):
    """Stops when a request has got its place, before anybody is told."""

    def __init__(self, client: Client) -> None:
        super().__init__(client.database, client.owner, LEASE)
        self.entered = asyncio.Event()
        self.go_on = asyncio.Event()

    async def enter(self, limit: Limit, person: UserID, *, begun: bool) -> tuple[int, Standing]:
        entered = await super().enter(limit, person, begun=begun)
        self.entered.set()
        await self.go_on.wait()
        return entered


async def test_a_request_that_is_stopped_just_as_it_gets_its_place_leaves_nothing(
    database_url: str,
) -> None:
    async with two_clients(database_url) as (one, _):
        store = Halting(one)
        one.slots = ModelSlots(store, one.signals, one.figures)
        asking = Asking(one, "a", "a", ONE, begun=False)
        async with asyncio.timeout(20):
            await store.entered.wait()
        asking.task.cancel()
        await asyncio.wait({asking.task}, timeout=0)
        store.go_on.set()
        await asking.cancel()

        assert not await rows(one)
        assert one.model.served == []


async def test_a_place_that_no_notification_told_of_is_found_by_the_beat(
    postgres_dsn: str,
) -> None:
    async with two_clients(postgres_dsn) as (one, two):
        first = await one.ask("first", ONE)
        second = await two.ask("second", ONE)
        await first.finish()
        assert one.model.served == ["first"]

        await two.slots.renew()

        await second.finish()
        assert one.model.served == ["first", "second"]


async def test_the_place_of_a_frozen_process_is_free_when_its_lease_ends(
    postgres_dsn: str,
) -> None:
    async with two_clients(postgres_dsn) as (one, two):
        for client in (one, two):
            await client.listen()
        two.beat()
        frozen = await one.ask("frozen", ONE)
        frozen_too = await one.ask("frozen too", ONE)
        waiting = await two.ask("waiting", ONE)
        await one.freeze()
        assert waiting.hearer.ahead == [2]

        await one.forget_leases()

        await waiting.finish()
        assert two.figures.expired == 2
        assert one.model.served == ["frozen", "waiting"]
        await frozen.cancel()
        await frozen_too.cancel()
        assert not await rows(two)


async def test_the_place_of_a_killed_process_is_free_long_before_its_lease_ends(
    postgres_dsn: str,
) -> None:
    lease = timedelta(seconds=6)
    async with two_clients(postgres_dsn, lease=lease) as (one, two):
        await one.listen()

        async def server_has_run_for_a_lease() -> bool:
            [row] = await query(
                two.database,
                "SELECT statement_timestamp() - CAST(:span AS interval) "
                "> pg_postmaster_start_time() AS y",
                span=lease,
            )
            return bool(row["y"])

        await until(server_has_run_for_a_lease)
        killed = await one.ask("killed", ONE)
        waiting = await two.ask("waiting", ONE)
        # The last beat is three seconds old; three are left.
        await query(
            two.database,
            "UPDATE model_wait SET lease_until = lease_until - 3000 WHERE owner = 'one'",
        )
        await two.slots.renew()
        assert two.figures.expired == 0
        await one.freeze()

        async def freed() -> bool:
            [row] = await query(
                two.database,
                "SELECT count(*) AS n FROM model_wait WHERE owner = 'one' "
                "AND lease_until <= lycatra_now()",
            )
            assert row["n"] == 0, "its lease has ended, which proves nothing"
            await two.slots.renew()
            return two.figures.expired == 1

        await until(freed)
        await waiting.finish()
        await killed.cancel()


async def test_a_process_that_has_not_renewed_for_a_while_is_given_no_place(
    postgres_dsn: str,
) -> None:
    async with two_clients(postgres_dsn) as (one, two):
        await one.listen()  # it lives
        two.beat()
        first = await two.ask("first", ONE)
        frozen = await one.ask("frozen", ONE)
        waiting = await two.ask("waiting", ONE)
        await query(
            one.database,
            "UPDATE model_wait SET lease_until = lycatra_now() + 5000 WHERE owner = 'one'",
        )

        await first.finish()
        await waiting.finish()
        assert one.model.served == ["first", "waiting"]
        assert (await rows(one))["waiting"] == 1  # passed over, and still in line

        one.beat()  # it wakes up
        await frozen.finish()


async def test_a_process_that_was_frozen_believes_no_old_news_of_a_place(
    postgres_dsn: str,
) -> None:
    async with two_clients(postgres_dsn) as (one, two):
        now = 0.0
        store = WaitStore(one.database, one.owner, LEASE)
        one.slots = ModelSlots(store, one.signals, one.figures, clock=lambda: now)
        first = await two.ask("first", ONE)
        frozen = await one.ask("frozen", ONE)
        now += 2 * LEASE.total_seconds()
        await first.finish()
        [row] = await query(two.database, "SELECT id FROM model_wait WHERE state = 'running'")

        one.slots._on_granted(str(row["id"]))
        await asyncio.wait({frozen.task}, timeout=0)
        assert one.model.served == ["first"]

        await one.slots.renew()  # it is ours still, after all
        await frozen.finish()


async def test_who_was_held_for_dead_and_lives_gets_in_line_once_more(
    clients: tuple[Client, Client],
) -> None:
    one, two = clients
    first = await one.ask("first", ONE)
    waiting = await two.ask("waiting", ONE)
    await query(one.database, "DELETE FROM model_wait WHERE state = 'waiting'")

    async def is_back() -> bool:
        return (await rows(one))["waiting"] == 1

    await until(is_back)
    await end_all(first, waiting)
    assert not await rows(one)


async def test_no_connection_is_held_while_waiting_or_being_served(postgres_dsn: str) -> None:
    async with two_clients(postgres_dsn, pool_size=1) as (one, _):
        askings = [await one.ask(f"p{n}", TWO) for n in range(6)]

        assert await query(one.database, "SELECT 1 AS one") == [{"one": 1}]
        await one.slots.renew()
        await end_all(*askings)


async def test_a_place_that_cannot_be_given_back_is_when_the_database_is_there_again(
    postgres_dsn: str,
) -> None:
    async with TcpProxy.before(postgres_dsn) as proxy, two_clients(proxy.url) as (one, two):
        asking = await one.ask("a", ONE)
        await proxy.set_mode(Mode.REFUSE)
        await asking.finish()
        with pytest.raises(StoreUnavailableError):
            await (await two.ask("b", ONE)).task
        await proxy.set_mode(Mode.PASS)

        await one.slots.renew()

        assert not await rows(two)


async def test_while_processes_have_different_limits_the_largest_holds(
    clients: tuple[Client, Client],
) -> None:
    old, new = clients
    askings = [await old.ask(f"old{n}", ONE) for n in range(2)]
    assert old.model.now == ["old0"]

    askings.append(await new.ask("new0", TWO))
    await until_true(lambda: len(old.model.now) == 2)

    await end_all(*askings)
    assert old.model.most == 2


async def test_the_figures_tell_how_many_wait_and_for_how_long(
    clients: tuple[Client, Client],
) -> None:
    one, _ = clients
    askings = [await one.ask(f"p{n}", ONE) for n in range(3)]
    assert one.figures.waiting == 2
    await end_all(*askings)

    assert one.figures.waiting == 0
    assert len(one.figures.waited) == 3
