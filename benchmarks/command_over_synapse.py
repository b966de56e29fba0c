"""What does a command cost beside the homeserver's own work?

An answer takes Synapse two round trips at least, the person's message and ours; each is measured
as the time until a person's own message comes back by sync. What is left is our share, and that
of Synapse's push to us.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from statistics import median
from typing import Final, Self

from benchmarks.measuring import CannotMeasureError, Figure, at_most, in_time, interleave, require
from benchmarks.question import REPOSITORY, Bench, Question
from lycatra_appservice.demo.people import PersonClient, register_person
from lycatra_appservice.matrix.events import REPLY_MARKER
from lycatra_appservice.model import JSON, EventID, RoomID
from tests.support.lycatra import Lycatra, lycatra_config
from tests.support.site import Site, running_site
from tests.support.synapse import PYTHON_VARIABLE

_ROUNDS: Final = 5
_MESSAGES: Final = 20  # of each kind, a round
_WARM_UP: Final = 5
_LONGEST_SECONDS: Final = 30
_PATIENCE_SECONDS: Final = 30


class Stopwatch:
    """Notes when events reach a person: by their id, answers by the id of their question."""

    def __init__(self, person: PersonClient) -> None:
        self._person = person
        self._seen: dict[str, tuple[float, JSON]] = {}
        self._came = asyncio.Event()

    async def __aenter__(self) -> Self:
        timeline = await self._person.timeline()

        async def follow() -> None:
            async for _, event in timeline:
                self._note(event)

        self._following = asyncio.create_task(follow())
        return self

    async def __aexit__(self, *error: object) -> None:
        self._following.cancel()
        with suppress(asyncio.CancelledError):
            await self._following

    async def echo_ms(self, room: RoomID) -> float:
        """How long the person's own message takes to come back."""
        began = time.perf_counter()
        event_id = await self._say(room, "the news of today")
        return (await self._arrival(event_id))[0] - began * 1000

    async def answer_ms(self, room: RoomID, command: str, sender: str) -> float:
        """How long its answer takes to come; raises WrongWorkError for an answer of others."""
        began = time.perf_counter()
        event_id = await self._say(room, command)
        came, event = await self._arrival(f"answer to {event_id}")
        require(event["sender"] == sender, f"{event['sender']} answered, not {sender}")
        require("Updates" in event["content"]["body"], f"no updates: {event['content']}")
        return came - began * 1000

    async def _say(self, room: RoomID, body: str) -> EventID:
        content = {"msgtype": "m.text", "body": body, "m.mentions": {}}
        return await self._person.send_event(room, "m.room.message", content)

    def _note(self, event: JSON) -> None:
        now = time.perf_counter() * 1000
        content = event.get("content", {})
        answered = content.get(REPLY_MARKER, {}).get("to")
        name = f"answer to {answered}" if answered else str(event.get("event_id"))
        self._seen.setdefault(name, (now, event))
        self._came.set()

    async def _arrival(self, name: str) -> tuple[float, JSON]:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while name not in self._seen:
                self._came.clear()
                await self._came.wait()
        return self._seen[name]


async def measure(bench: Bench) -> Sequence[Figure]:
    """Let a person's own messages and commands take turns in two rooms, one at a time."""
    check_synapse()
    with running_site() as site:
        async with (
            bench.postgres.fresh_database() as dsn,
            _service(bench.folder, site, dsn),
            _person(site, "asker") as person,
            _person(site, "other") as other,
            Stopwatch(person) as watch,
        ):
            quiet = await _room_of(person, other)
            ours = await _room_of(person, other)
            await person.invite(ours, site.users.main)
            await person.wait_for_member(ours, site.users.main)
            updates = site.users.of("updates")

            async def echo() -> float:
                return await watch.echo_ms(quiet)

            async def answer() -> float:
                return await watch.answer_ms(ours, "!list updates", updates)

            for _ in range(_WARM_UP):
                await echo()
                await answer()
            medians = await _rounds(echo, answer)
    over = [reply - 2 * own for reply, own in zip(medians["reply"], medians["echo"], strict=True)]
    return [
        Figure(
            name="command_over_synapse",
            unit="ms",
            rounds=over,
            goal=at_most(15),
            raw={f"{name} p50, ms": rounds for name, rounds in medians.items()},
        )
    ]


async def _rounds(
    echo: Callable[[], Awaitable[float]], answer: Callable[[], Awaitable[float]]
) -> dict[str, list[float]]:
    """The median of each round; inside a round the two kinds alternate message by message."""
    medians: dict[str, list[float]] = {"echo": [], "reply": []}
    for _ in in_time(_ROUNDS, _LONGEST_SECONDS):
        times = await interleave(_MESSAGES, {"echo": echo, "reply": answer})
        for name, samples in times.items():
            medians[name].append(median(samples))
    return medians


def check_synapse() -> None:
    """Raise CannotMeasureError where there is no Synapse to start."""
    python = os.environ.get(PYTHON_VARIABLE) or REPOSITORY / ".synapse" / "bin" / "python"
    if not Path(python).exists():
        raise CannotMeasureError(
            f"there is no Synapse: let {PYTHON_VARIABLE} name a Python that has matrix-synapse,"
            " or use `make bench`, which sets one up"
        )


@asynccontextmanager
async def _service(folder: Path, site: Site, dsn: str) -> AsyncIterator[None]:
    config = lycatra_config(
        homeserver_url=site.homeserver.url,
        server_name=site.homeserver.server_name,
        registration=site.registration,
        database_url=dsn,
        appservice_url=f"http://127.0.0.1:{site.appservice_port}",
        port=site.appservice_port,
        more={"log": {"level": "INFO"}},
    )
    async with Lycatra(folder, config, "command_over_synapse"):
        yield


@asynccontextmanager
async def _person(site: Site, name: str) -> AsyncIterator[PersonClient]:
    made = await register_person(site.homeserver, name, "password")
    async with PersonClient(site.homeserver.url, made) as person:
        yield person


async def _room_of(person: PersonClient, other: PersonClient) -> RoomID:
    """A room of two people: with us it is a group, where each namespace's own user answers."""
    room = await person.create_room(invite=[other.user_id])
    return await other.join(room)


QUESTION = Question(
    name="command_over_synapse", figures=("command_over_synapse",), measure=measure
)
