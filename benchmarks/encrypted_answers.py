"""How long answers take in encrypted rooms, while one replica has the keys and when it is gone."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from statistics import median
from typing import Final

from benchmarks.command_over_synapse import Stopwatch
from benchmarks.measuring import Figure, at_most, in_time, interleave, require
from benchmarks.question import Bench
from lycatra_appservice.demo.people import Person, PersonClient, register_person
from lycatra_appservice.demo.secret_client import SEALED
from lycatra_appservice.demo.secret_person import SecretPersonClient
from lycatra_appservice.model import JSON, EventID, RoomID, UserID
from tests.support.encrypted import FROM_THE_START
from tests.support.encrypted_site import (
    PUSHES_KEYS,
    encryption,
    places_used_twice,
    said_in_clear,
    until_devices_ready,
)
from tests.support.lycatra import Lycatra
from tests.support.site import running_site
from tests.support.stage import Stage, open_stage
from tests.support.tables import Tables
from tests.support.waiting import until

_ROUNDS: Final = 5
_MESSAGES: Final = 20  # of each kind, a round
_WARM_UP: Final = 5
_LONGEST_SECONDS: Final = 40
_REPLICAS: Final = 3
_HANDOVERS: Final = 5  # of each kind
_END_SECONDS: Final = 20
# The owner renews its lease at an interval; it must not always be gone at the same point of it.
_LATER_EACH_TIME: Final = 0.75 / _HANDOVERS


class Phone(SecretPersonClient):
    """A person with clear and with encrypted rooms, in which the same people stay.

    It sends without asking the homeserver who is there and what is new, which is no work of ours.
    """

    def __init__(self, homeserver_url: str, person: Person) -> None:
        super().__init__(homeserver_url, person)
        self._people: dict[RoomID, frozenset[UserID]] = {}  # of encrypted rooms

    async def chat(self, user: UserID, *, encrypted: bool) -> RoomID:
        """A direct chat with one of us."""
        room = await self.create_room(
            invite=[user],
            preset="trusted_private_chat",
            is_direct=True,
            extra=FROM_THE_START if encrypted else None,
        )
        await self.wait_for_member(room, user)
        if encrypted:
            self._people[room] = frozenset(await self.members(room))
        return room

    async def send_event(
        self,
        room_id: RoomID,
        event_type: str,
        content: Mapping[str, JSON],
        txn_id: str | None = None,
    ) -> EventID:
        """Send it as the room wants it."""
        people = self._people.get(room_id)
        if people is not None:
            content = await self._machine.seal(room_id, people, event_type, content)
            event_type = SEALED
        return await PersonClient.send_event(self, room_id, event_type, content, txn_id)


async def measure_answers(bench: Bench) -> Sequence[Figure]:
    """First with one replica, then with all of them, of which the one with the keys goes."""
    with running_site(overrides=PUSHES_KEYS) as site:
        async with (
            bench.postgres.fresh_database() as dsn,
            open_stage(site, bench.folder) as stage,
        ):
            replicas = [await _started(stage, dsn)]
            await until_devices_ready(stage, Tables(dsn))
            async with _phone(stage) as phone, Stopwatch(phone) as watch:
                main = stage.users.main
                clear = await phone.chat(main, encrypted=False)
                secret = await phone.chat(main, encrypted=True)

                async def answer_in(room: RoomID) -> float:
                    return await watch.answer_ms(room, "!list updates", main)

                over = await _over_clear(lambda: answer_in(clear), lambda: answer_in(secret))
                replicas += [await _started(stage, dsn) for _ in range(_REPLICAS - 1)]
                handovers = Handovers(replicas, Tables(dsn), lambda: answer_in(secret))
                figures = [over, *await handovers.measure()]
                require(not said_in_clear(stage, secret), "an answer was not encrypted")
                require(not places_used_twice(stage, secret), "a key was used twice")
                return figures


class Handovers:
    """Has the owner of the keys go, again and again, and somebody ask at that moment."""

    def __init__(
        self, replicas: Sequence[Lycatra], tables: Tables, answer: Callable[[], Awaitable[float]]
    ) -> None:
        self._replicas = replicas
        self._tables = tables
        self._answer = answer

    async def measure(self) -> Sequence[Figure]:
        """Crashes, then ends in order."""
        killed, taken_after_kill = await self._rounds(Lycatra.kill)
        ended, taken_after_end = await self._rounds(lambda gone: gone.signal(signal.SIGTERM))
        raw = {"until the keys were taken, s": taken_after_kill}
        return [
            Figure(name="keys_after_kill", unit="s", rounds=killed, goal=at_most(5), raw=raw),
            Figure(
                name="keys_after_kill_longest", unit="s", rounds=[max(killed)], goal=at_most(5)
            ),
            Figure(
                name="keys_after_sigterm",
                unit="s",
                rounds=ended,
                raw={"until the keys were taken, s": taken_after_end},
            ),
        ]

    async def _rounds(self, leave: Callable[[Lycatra], None]) -> tuple[list[float], list[float]]:
        """The seconds until the answer, and until somebody had the keys."""
        answered, taken = [], []
        for number in range(_HANDOVERS):
            gone = await self._owner()
            await self._answer()
            await asyncio.sleep(number * _LATER_EACH_TIME)
            began, began_at = time.perf_counter(), time.time()
            leave(gone)
            await self._answer()
            answered.append(time.perf_counter() - began)
            heir = await self._owner()
            require(heir is not gone, f"{gone.name} is gone and still has the keys")
            taken.append(_last_taken(heir) - began_at)
            async with asyncio.timeout(_END_SECONDS):
                ended = await gone.child.wait()
            require(ended in {0, -signal.SIGKILL}, f"it ended with {ended}:\n{gone.log()[-2000:]}")
            await gone.start()
        return answered, taken

    async def _owner(self) -> Lycatra:
        found: list[Lycatra] = []

        async def somebody() -> bool:
            rows = await self._tables.rows("SELECT owner FROM crypto_lease WHERE owner <> ''")
            found[:] = [each for each in self._replicas for row in rows if _is(each, row["owner"])]
            return bool(found)

        await until(somebody, "an owner of the keys")
        return found[0]


async def _over_clear(
    clear: Callable[[], Awaitable[float]], secret: Callable[[], Awaitable[float]]
) -> Figure:
    """How much later answers come in the encrypted room; the rooms take turns."""
    for _ in range(_WARM_UP):
        await clear()
        await secret()
    medians: dict[str, list[float]] = {"clear": [], "encrypted": []}
    for _ in in_time(_ROUNDS, _LONGEST_SECONDS):
        times = await interleave(_MESSAGES, {"clear": clear, "encrypted": secret})
        for name, samples in times.items():
            medians[name].append(median(samples))
    pairs = zip(medians["encrypted"], medians["clear"], strict=True)
    return Figure(
        name="encrypted_over_clear",
        unit="ms",
        rounds=[encrypted - plain for encrypted, plain in pairs],
        goal=at_most(60),
        raw={f"{name} p50, ms": rounds for name, rounds in medians.items()},
    )


async def _started(stage: Stage, dsn: str) -> Lycatra:
    replica = await stage.replica(dsn, more={"log": {"level": "INFO"}, **encryption()})
    await replica.start()
    return replica


@asynccontextmanager
async def _phone(stage: Stage) -> AsyncIterator[Phone]:
    homeserver = stage.site.homeserver
    person = await register_person(homeserver, "asker", "password")
    async with Phone(homeserver.url, person) as phone:
        yield phone


def _is(replica: Lycatra, owner: str) -> bool:
    """Whether it is called so since its last start."""
    return any(record["replica"] == owner for record in replica.records("keys_taken"))


def _last_taken(replica: Lycatra) -> float:
    return datetime.fromisoformat(replica.records("keys_taken")[-1]["ts"]).timestamp()
