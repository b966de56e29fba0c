"""Several replicas, one owner of the keys: it dies or leaves under load, nothing is lost."""

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from lycatra_appservice.model import EventID
from tests.support.encrypted_site import (
    PUSHES_KEYS,
    Phones,
    encryption,
    is_secret,
    until_devices_ready,
)
from tests.support.lycatra import Lycatra
from tests.support.secret_person import SecretRoom
from tests.support.site import Site, running_site
from tests.support.stage import Stage, open_stage
from tests.support.tables import Tables
from tests.support.waiting import until

pytestmark = pytest.mark.slow

MESSAGES = 24
COMMANDS = ("!help", "!whoami", "!list updates")


@pytest.fixture(scope="module")
def secret_site() -> Iterator[Site]:
    with running_site(overrides=PUSHES_KEYS) as running:
        yield running


@pytest.fixture
async def secret_stage(secret_site: Site, tmp_path: Path) -> AsyncIterator[Stage]:
    async with open_stage(secret_site, tmp_path) as opened:
        yield opened


@pytest.fixture
async def phones(secret_stage: Stage, tmp_path: Path) -> AsyncIterator[Phones]:
    async with AsyncExitStack() as stack:
        yield Phones(secret_stage, tmp_path, stack)


async def replicas_of(stage: Stage, dsn: str, count: int) -> Sequence[Lycatra]:
    made = [await stage.replica(dsn, more=encryption()) for _ in range(count)]
    for each in made:
        await each.start()
    await until_devices_ready(stage, Tables(dsn))
    return made


async def owner_of(replicas: Sequence[Lycatra], tables: Tables) -> Lycatra:
    """The replica that has the keys now."""
    found: list[Lycatra] = []

    async def somebody() -> bool:
        rows = await tables.rows("SELECT owner FROM crypto_lease WHERE owner IS NOT NULL")
        found[:] = [each for each in replicas for row in rows if row["owner"] in each.log()]
        return bool(found)

    await until(somebody, "an owner of the keys")
    return found[0]


async def rooms_for_load(stage: Stage, phones: Phones, count: int = 3) -> Sequence[SecretRoom]:
    rooms = []
    for _ in range(count):
        me = await phones.new()
        room = await me.make_room(stage.users.main)
        await room.said_to("!help")
        rooms.append(room)
    return rooms


async def ask_everywhere(rooms: Sequence[SecretRoom]) -> list[tuple[SecretRoom, EventID]]:
    return [
        (room, await room.say(COMMANDS[n % len(COMMANDS)]))
        for n in range(MESSAGES)
        for room in [rooms[n % len(rooms)]]
    ]


async def assert_answered_once(
    stage: Stage, rooms: Sequence[SecretRoom], asked: Sequence[tuple[SecretRoom, EventID]]
) -> None:
    for room, event_id in asked:
        await room.answer_to(event_id)
    for room in rooms:
        await room.answer_to(await room.say("!help"))
        answers = Counter(
            (mark["to"], mark["part"])
            for event in await room.events()
            if (mark := event.get("content", {}).get("org.lycatra.reply"))
            and mark["kind"] == "message"
        )
        assert {to for of, to in asked if of is room} <= {to for to, _ in answers}
        assert max(answers.values()) == 1
    assert is_secret(stage, *rooms)


@pytest.mark.parametrize("count", [2, 3])
async def test_an_owner_killed_under_load_loses_and_doubles_nothing(
    secret_stage: Stage, phones: Phones, postgres_dsn: str, count: int
) -> None:
    tables = Tables(postgres_dsn)
    replicas = await replicas_of(secret_stage, postgres_dsn, count)
    rooms = await rooms_for_load(secret_stage, phones)

    asking = asyncio.create_task(ask_everywhere(rooms))
    for _ in range(2):
        owner = await owner_of(replicas, tables)
        await asyncio.wait({asking}, timeout=1.5)
        owner.kill()
        await owner.start()
    asked = await asking

    await assert_answered_once(secret_stage, rooms, asked)


async def test_an_owner_that_leaves_under_load_hands_the_keys_over(
    secret_stage: Stage, phones: Phones, postgres_dsn: str
) -> None:
    tables = Tables(postgres_dsn)
    replicas = await replicas_of(secret_stage, postgres_dsn, 2)
    rooms = await rooms_for_load(secret_stage, phones)

    asking = asyncio.create_task(ask_everywhere(rooms))
    owner = await owner_of(replicas, tables)
    await asyncio.wait({asking}, timeout=1.5)
    await owner.stop()
    asked = await asking

    await assert_answered_once(secret_stage, rooms, asked)
    other = await owner_of([each for each in replicas if each is not owner], tables)
    assert other is not owner


async def test_an_owner_that_was_frozen_writes_nothing_and_works_when_it_has_the_keys_again(
    secret_stage: Stage, phones: Phones, postgres_dsn: str
) -> None:
    tables = Tables(postgres_dsn)
    replicas = await replicas_of(secret_stage, postgres_dsn, 2)
    [room] = await rooms_for_load(secret_stage, phones, 1)
    frozen = await owner_of(replicas, tables)
    [other] = [each for each in replicas if each is not frozen]

    frozen.signal(signal.SIGSTOP)
    await until_taken(tables, other)
    asked = [await room.say("!whoami")]
    frozen.signal(signal.SIGCONT)
    await room.answer_to(asked[0])
    other.kill()
    await until_taken(tables, frozen)
    asked.append(await room.say("!help"))

    await assert_answered_once(secret_stage, [room], [(room, each) for each in asked])


async def until_taken(tables: Tables, replica: Lycatra) -> None:
    """Wait until this replica has the keys."""

    async def has_them() -> bool:
        rows = await tables.rows("SELECT owner FROM crypto_lease WHERE owner IS NOT NULL")
        return any(row["owner"] in replica.log() for row in rows)

    await until(has_them, f"the keys at {replica.name}")
