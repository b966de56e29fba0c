"""What people may use, on both databases: counted once, and never more than is allowed."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from lycatra_appservice.budgets.budgets import Budgets
from lycatra_appservice.budgets.limits import UNLIMITED, Kind, Limits, Payer, Refusal
from lycatra_appservice.budgets.store import BudgetStore, ChargeKey, Spent
from lycatra_appservice.db.connection import Connection, Database
from lycatra_appservice.db.migrate import UpgradableDatabase
from lycatra_appservice.model import JSON, LaneKind, Level, Outgoing, RoomID, UserID
from lycatra_appservice.settings import Budgets as Settings
from lycatra_appservice.turns.records import LaneLostError
from lycatra_appservice.turns.turn import Turn
from tests.contract.conftest import Replicas
from tests.support.turns import Engine, ScriptedHandler, message, query, trigger, until_ended

PERSON, OTHER = UserID("@person:hs.test"), UserID("@other:hs.test")
ROOM, ROOM_TOO = RoomID("!room"), RoomID("!room-too")
PAYER = Payer(person=PERSON, level=Level.VIEWER, room_id=ROOM)
BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
TOKENS = Spent(model="home", prompt_tokens=900, completion_tokens=100, is_estimated=False)


def settings(**written: JSON) -> Settings:
    return Settings.model_validate(written)


def budgets_on(
    database: Database, configured: Settings | None = None, now: datetime = NOON
) -> Budgets:
    limits = Limits(configured or settings())
    return Budgets(BudgetStore(database), limits, BERLIN, lambda: now)


async def begin(database: Database, budgets: Budgets, payer: Payer = PAYER) -> Refusal | None:
    async with database.transaction() as connection:
        return await budgets.may_begin(connection, payer)


async def charge(
    database: Database, budgets: Budgets, step: str, payer: Payer = PAYER, spent: Spent = TOKENS
) -> None:
    key = ChargeKey(trigger_id="$question", run=0, step=step)
    async with database.transaction() as connection:
        await budgets.charge(connection, key, payer, spent)


async def pass_time(database: Database, span: timedelta) -> None:
    ms = span // timedelta(milliseconds=1)
    await query(database, "UPDATE pace SET full_at = full_at - :ms RETURNING key", ms=ms)
    await query(database, "UPDATE exchange SET at = at - :ms RETURNING room", ms=ms)


# Turns a minute


async def test_of_all_who_ask_at_once_on_two_replicas_only_so_many_hear_yes(
    database_pair: tuple[UpgradableDatabase, UpgradableDatabase],
) -> None:
    configured = settings(person={"turns_per_minute": 7}, room={"turns_per_minute": "unlimited"})

    async with asyncio.timeout(60):
        heard = await asyncio.gather(
            *(
                begin(database, budgets_on(database, configured))
                for _ in range(15)
                for database in database_pair
            )
        )

    kinds = Counter(each.kind if each else None for each in heard)
    assert kinds == {None: 7, Kind.PERSON_TURNS: 23}


async def test_the_room_has_a_limit_for_all_of_its_people_and_takes_nothing_from_who_is_refused(
    database: Database,
) -> None:
    budgets = budgets_on(
        database, settings(person={"turns_per_minute": 3}, room={"turns_per_minute": 4})
    )
    other = Payer(person=OTHER, level=Level.VIEWER, room_id=ROOM)
    elsewhere = Payer(person=OTHER, level=Level.VIEWER, room_id=ROOM_TOO)
    assert [await begin(database, budgets) for _ in range(3)] == [None] * 3
    assert await begin(database, budgets, other) is None

    refused = [await begin(database, budgets, other) for _ in range(5)]

    assert {each.kind if each else None for each in refused} == {Kind.ROOM_TURNS}
    assert [await begin(database, budgets, elsewhere) for _ in range(2)] == [None] * 2
    assert (last := await begin(database, budgets, elsewhere)) is not None
    assert last.kind is Kind.PERSON_TURNS


async def test_who_waits_as_long_as_was_said_may_ask_once_more(database: Database) -> None:
    budgets = budgets_on(database, settings(person={"turns_per_minute": 6}))
    for _ in range(6):
        assert await begin(database, budgets) is None

    refused = await begin(database, budgets)

    assert refused is not None
    assert refused.wait is not None
    assert timedelta(seconds=9) < refused.wait <= timedelta(seconds=10)
    await pass_time(database, refused.wait)
    assert await begin(database, budgets) is None
    assert await begin(database, budgets) is not None


async def test_messages_that_were_refused_do_not_prolong_the_wait(database: Database) -> None:
    budgets = budgets_on(database, settings(person={"turns_per_minute": 2}))
    for _ in range(30):
        await begin(database, budgets)

    await pass_time(database, timedelta(seconds=60))

    assert [await begin(database, budgets) for _ in range(2)] == [None] * 2


async def test_once_a_minute_is_once_a_minute(database: Database) -> None:
    budgets = budgets_on(database, settings(person={"turns_per_minute": 1}))

    assert await begin(database, budgets) is None
    assert await begin(database, budgets) is not None


async def test_nothing_is_refused_where_0_is_no_limit_but_nothing(database: Database) -> None:
    nothing = budgets_on(database, settings(person={"turns_per_minute": 0}))
    unlimited = budgets_on(
        database,
        settings(person={"turns_per_minute": "unlimited"}, room={"turns_per_minute": "unlimited"}),
    )

    assert await begin(database, nothing) == Refusal(kind=Kind.PERSON_TURNS, limit=0, wait=None)
    assert [await begin(database, unlimited) for _ in range(200)] == [None] * 200
    assert await query(database, "SELECT * FROM pace") == []


async def test_a_person_and_a_level_may_have_limits_of_their_own(database: Database) -> None:
    limits = Limits(
        settings(
            person={"turns_per_minute": 5, "tokens_per_day": "1k"},
            levels={"admin": {"tokens_per_day": "unlimited"}, "viewer": {"turns_per_minute": 2}},
            people={PERSON: {"tokens_per_day": "2.5M"}},
        )
    )

    assert limits.of_person(OTHER, Level.NONE).tokens_per_day == 1000
    assert limits.of_person(OTHER, Level.VIEWER).turns_per_minute == 2
    assert limits.of_person(OTHER, Level.ADMIN).tokens_per_day == UNLIMITED
    assert limits.of_person(PERSON, Level.ADMIN).tokens_per_day == 2_500_000
    assert limits.of_person(PERSON, Level.ADMIN).turns_per_minute == 5


# Tokens a day


async def test_what_was_used_is_charged_once_however_often_its_step_is_written(
    database_pair: tuple[UpgradableDatabase, UpgradableDatabase],
) -> None:
    configured = settings(person={"tokens_per_day": 3000})

    async with asyncio.timeout(60):
        await asyncio.gather(
            *(
                charge(database, budgets_on(database, configured), "1:model")
                for _ in range(5)
                for database in database_pair
            )
        )

    budgets = budgets_on(database_pair[1], configured)
    assert await budgets.may_spend(PAYER) == 2000
    await charge(database_pair[1], budgets, "2:model")
    assert await budgets.may_spend(PAYER) == 1000


async def test_the_first_limit_that_is_reached_refuses_until_the_day_is_over(
    database: Database,
) -> None:
    configured = settings(person={"tokens_per_day": 2000}, room={"tokens_per_day": 3000})
    budgets = budgets_on(database, configured)
    other = Payer(person=OTHER, level=Level.VIEWER, room_id=ROOM)
    await charge(database, budgets, "1:model")
    await charge(database, budgets, "2:model")
    assert await budgets.may_spend(other) == 1000

    refused = await budgets.may_spend(PAYER)

    # Noon in UTC is one o'clock in Berlin.
    wait = timedelta(hours=11)
    assert refused == Refusal(kind=Kind.PERSON_TOKENS, limit=2000, wait=wait)
    await charge(database, budgets, "3:model", other)
    assert await budgets.may_spend(other) == Refusal(kind=Kind.ROOM_TOKENS, limit=3000, wait=wait)
    tomorrow = budgets_on(database, configured, NOON + wait)
    assert await tomorrow.may_spend(PAYER) == 2000


@pytest.mark.parametrize(
    ("now", "hours"),
    [
        (datetime(2026, 3, 28, 23, 0, tzinfo=UTC), 23),  # the clocks go forward
        (datetime(2026, 10, 24, 22, 0, tzinfo=UTC), 25),
        (datetime(2026, 7, 1, 22, 0, tzinfo=UTC), 24),
    ],
)
async def test_a_day_is_as_long_as_it_is_where_the_people_are(
    database: Database, now: datetime, hours: int
) -> None:
    configured = settings(person={"tokens_per_day": 1000})
    begins = budgets_on(database, configured, now)
    almost_over = now + timedelta(hours=hours, seconds=-1)

    await charge(database, begins, "1:model")

    refused = await begins.may_spend(PAYER)
    assert isinstance(refused, Refusal)
    assert refused.wait == timedelta(hours=hours)
    assert isinstance(
        await budgets_on(database, configured, almost_over).may_spend(PAYER), Refusal
    )
    over = budgets_on(database, configured, almost_over + timedelta(seconds=1))
    assert await over.may_spend(PAYER) == 1000


async def test_a_step_that_another_worker_has_taken_charges_nothing(database: Database) -> None:
    engine, budgets = Engine(database), budgets_on(database)
    await engine.inbox.store([trigger("$a")])
    [(lease, turn)] = await engine.store.claim(LaneKind.ASK, 1)
    await query(database, "UPDATE lane SET fence = fence + 1, owner = 'other' RETURNING key")

    async def beside(connection: Connection) -> None:
        key = ChargeKey(trigger_id="$a", run=0, step="1:model")
        await budgets.charge(connection, key, PAYER, TOKENS)

    with pytest.raises(LaneLostError):
        await engine.journal.record(
            lease, turn, "1:model", "hash", done=True, output={}, beside=beside
        )
    with pytest.raises(LaneLostError):
        await engine.journal.decide(
            lease, turn, "budget", "hash", lambda each: budgets.may_begin(each, PAYER)
        )

    assert await query(database, "SELECT * FROM model_usage") == []
    assert await query(database, "SELECT * FROM pace") == []


async def test_a_turn_that_is_run_again_has_begun_once_and_paid_once(replicas: Replicas) -> None:
    handler = ScriptedHandler()
    replica = await replicas.add(handler)
    budgets = budgets_on(replica.database)
    asked = []

    async def script(turn: Turn) -> Sequence[Outgoing]:
        async def model() -> JSON:
            asked.append(turn.trigger_id)
            return {}

        async def pay(connection: Connection, _: JSON) -> None:
            key = ChargeKey(trigger_id=turn.trigger_id, run=turn.first_n, step="1:model")
            await budgets.charge(connection, key, PAYER, TOKENS)

        async def decide(connection: Connection) -> JSON:
            return await budgets.may_begin(connection, PAYER)

        await turn.decide("budget", decide)
        await turn.step("1:model", model, beside=pay)
        if handler.runs["$a"] < 3:
            raise RuntimeError("once more")
        return [message("done")]

    handler.scripts["$a"] = script
    await replica.inbox.store([trigger("$a")])
    await replica.start()
    await until_ended(replica.database)

    assert asked == ["$a"]
    [row] = await query(replica.database, "SELECT * FROM model_usage")
    assert (row["prompt_tokens"], row["completion_tokens"], row["level"]) == (900, 100, "viewer")
    [pace] = await query(
        replica.database,
        "SELECT full_at - lycatra_now() AS ms FROM pace WHERE key = :key",
        key=PERSON,
    )
    assert pace["ms"] <= 3000  # of twenty a minute, one turn's part


# Exchanges that look like those of bots


async def follow(
    database: Database, budgets: Budgets, since_answer: timedelta, payer: Payer = PAYER
) -> bool:
    """Whether a question is answered that comes so long after our last answer."""
    await pass_time(database, since_answer)
    [row] = await query(database, "SELECT lycatra_now() AS now")
    async with database.transaction() as connection:
        return await budgets.may_go_on(connection, payer, row["now"]) is None


QUICK, SLOW, LONG = timedelta(seconds=8), timedelta(seconds=20), timedelta(seconds=61)


async def test_an_exchange_at_the_pace_of_bots_ends_until_there_is_silence(
    database: Database,
) -> None:
    budgets = budgets_on(database, settings(answers_in_a_row=4))
    other = Payer(person=OTHER, level=Level.VIEWER, room_id=ROOM)

    answered = [await follow(database, budgets, QUICK) for _ in range(8)]

    assert answered == [True] * 4 + [False] * 4
    assert not await follow(database, budgets, SLOW)
    assert await follow(database, budgets, QUICK, other)
    assert await follow(database, budgets, LONG)
    assert [await follow(database, budgets, QUICK) for _ in range(4)] == [True] * 3 + [False]


async def test_people_who_take_their_time_now_and_then_are_always_answered(
    database: Database,
) -> None:
    budgets = budgets_on(database, settings(answers_in_a_row=4))
    spans = [QUICK, QUICK, SLOW] * 8

    assert all([await follow(database, budgets, span) for span in spans])


async def test_questions_from_before_our_answer_are_no_exchange(database: Database) -> None:
    budgets = budgets_on(database, settings(answers_in_a_row=4))
    [row] = await query(database, "SELECT lycatra_now() AS now")

    for _ in range(20):  # all written at once, answered one after the other
        async with database.transaction() as connection:
            assert await budgets.may_go_on(connection, PAYER, row["now"] - 1) is None


async def test_an_answer_that_takes_long_does_not_hide_a_bot(database: Database) -> None:
    budgets = budgets_on(database, settings(answers_in_a_row=4))

    answered = []
    for number in range(6):
        answered.append(await follow(database, budgets, QUICK))
        await pass_time(database, LONG)  # until the model has answered
        await charge(database, budgets, f"{number}:model")

    assert answered == [True] * 4 + [False] * 2


# What is kept


async def test_what_no_limit_and_no_report_needs_is_forgotten(database: Database) -> None:
    old = budgets_on(database, now=NOON - timedelta(days=90))
    await charge(database, old, "1:model")
    now = budgets_on(database)
    await charge(database, now, "2:model")
    await begin(database, now)
    await follow(database, now, QUICK)
    await pass_time(database, timedelta(minutes=5))

    await now.forget(timedelta(days=90))
    assert len(await query(database, "SELECT * FROM model_usage")) == 2
    await now.forget(timedelta(days=89))

    [left] = await query(database, "SELECT * FROM model_usage")
    assert left["step"] == "2:model"
    assert await query(database, "SELECT * FROM pace") == []
    assert await query(database, "SELECT * FROM exchange") == []
