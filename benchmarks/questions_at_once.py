"""What do people wait for, when ten of them ask a slow model, and when it hangs?

The whole service as its users run it, on Postgres, beside a homeserver that costs nothing: the
stub of the tests. The model takes 300 ms before each of two answers, so 600 ms are its own.
Measured from the push to the complete answer.
"""

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

import aiohttp

from benchmarks.measuring import Figure, at_most, in_time, percentile, require
from benchmarks.programs import resident_mb
from benchmarks.question import Bench, Question
from benchmarks.scripted_server import running_model
from benchmarks.servers.scripted_model import AFTER_300_MS, ANSWER, ASKED, AT_ONCE, NEVER
from lycatra_appservice.matrix.events import LIVE_MARKER, REPLY_MARKER
from lycatra_appservice.model import JSON
from tests.support.homeserver_stub import (
    AS_TOKEN,
    SERVER_NAME,
    HomeserverStub,
    running_homeserver_stub,
)
from tests.support.lycatra import Lycatra, lycatra_config

PEOPLE: Final = 10
_ROUNDS: Final = 8
_ANSWER_MS: Final = 300
_AT_ONCE: Final = 2
_STOPS: Final = 5  # a round
_COMMANDS: Final = 20  # a round
_CONVERSATIONS: Final = 1000
_KNOWN: Final = 100  # conversations after which every cache is as full as it gets
_SECONDS: Final = 60
_LOOK_AGAIN_SECONDS: Final = 0.002
_MAIN: Final = f"@lycatra:{SERVER_NAME}"
_UPDATES: Final = f"@lycatra_updates:{SERVER_NAME}"
_HS_TOKEN: Final = AS_TOKEN[::-1]


class Chat:
    """Rooms of people beside replicas, which are pushed to in turn; made by `opened_chat`."""

    def __init__(
        self, stub: HomeserverStub, replicas: Sequence[Lycatra], http: aiohttp.ClientSession
    ) -> None:
        self.lycatra = replicas[0]
        self._next = itertools.cycle(replicas)
        self._stub = stub
        self._http = http
        self._ids = itertools.count(1)

    def direct_room(self, person: int) -> str:
        """The room of one person and @lycatra."""
        return self._room(f"!direct{person}", f"@person{person}:{SERVER_NAME}", _MAIN)

    def group(self) -> str:
        """A room with two people and a virtual user."""
        people = [f"@person{n}:{SERVER_NAME}" for n in range(2)]
        return self._room("!group", *people, _MAIN, _UPDATES)

    async def say(self, room: str, text: str) -> tuple[str, float]:
        """Push a message of the room's first member; its id, and when it was pushed."""
        return await self._push(
            room, "m.room.message", {"msgtype": "m.text", "body": text, "m.mentions": {}}
        )

    async def react(self, room: str, event_id: str, key: str) -> tuple[str, float]:
        """The same for a reaction."""
        relation = {"rel_type": "m.annotation", "event_id": event_id, "key": key}
        return await self._push(room, "m.reaction", {"m.relates_to": relation})

    async def _push(self, room: str, kind: str, content: JSON) -> tuple[str, float]:
        event_id = f"$asked{next(self._ids)}"
        event = {
            "type": kind,
            "event_id": event_id,
            "room_id": room,
            "sender": next(iter(self._stub.rooms[room].members)),
            "content": content,
            "origin_server_ts": round(time.time() * 1000),
            "unsigned": {"age": 1},
        }
        began = time.perf_counter()
        url = f"{next(self._next).url}/_matrix/app/v1/transactions/{event_id[1:]}"
        async with self._http.put(
            url, json={"events": [event]}, headers={"Authorization": f"Bearer {_HS_TOKEN}"}
        ) as answer:
            require(answer.status == 200, f"a push was answered with {answer.status}")
        return event_id, began

    async def until_answered(self, room: str, event_id: str, words: str) -> None:
        """Return when the whole answer stands in the room, as a message or as an edit of one."""
        async with asyncio.timeout(_SECONDS):
            while not self._is_answered(room, event_id, words):  # noqa: ASYNC110 (another process)
                await asyncio.sleep(_LOOK_AGAIN_SECONDS)

    async def ask_ms(self, room: str, text: str, words: str) -> float:
        """How long an answer takes that has these words."""
        event_id, began = await self.say(room, text)
        await self.until_answered(room, event_id, words)
        return (time.perf_counter() - began) * 1000

    def _room(self, room: str, *members: str) -> str:
        if room not in self._stub.rooms:
            self._stub.add_room(room, *members)
            for user in members:
                content = {"membership": "join", "displayname": user[1:].partition(":")[0]}
                self._stub.state[room, "m.room.member", user] = content
        return room

    def _is_answered(self, room: str, event_id: str, words: str) -> bool:
        return any(
            words in _body(event["content"])
            and LIVE_MARKER not in event["content"]
            and event["content"].get(REPLY_MARKER, {}).get("to") == event_id
            for event in reversed(self._stub.rooms[room].events)
        )


async def measure(bench: Bench) -> Sequence[Figure]:
    """Ten people at once; then commands while ten questions hang; then a thousand people."""
    return [
        await _ten_people(bench),
        await _commands_while_hanging(bench),
        await _memory(bench),
    ]


async def _ten_people(bench: Bench) -> Figure:
    async with opened_chat(bench, AFTER_300_MS) as (chat, _):
        rooms = [chat.direct_room(n) for n in range(PEOPLE)]
        await _ask_all(chat, rooms)
        rounds = [await _ask_all(chat, rooms) for _ in in_time(_ROUNDS, _SECONDS)]
    p95 = [percentile(waits, 0.95) for waits in rounds]
    return Figure(name="ten_people_p95", unit="ms", rounds=p95, goal=at_most(900))


async def _commands_while_hanging(bench: Bench) -> Figure:
    p95: list[float] = []
    async with opened_chat(bench, NEVER) as (chat, base_url):
        group = chat.group()
        await chat.ask_ms(group, "!list updates", "Updates")
        for n in range(PEOPLE):
            await chat.say(chat.direct_room(n), "is the wiki up?")
        await _until_hanging(base_url, PEOPLE)
        for _ in in_time(_ROUNDS, _SECONDS):
            waits = [
                await chat.ask_ms(group, "!list updates", "Updates") for _ in range(_COMMANDS)
            ]
            p95.append(percentile(waits, 0.95))
    return Figure(name="command_while_hanging_p95", unit="ms", rounds=p95, goal=at_most(100))


async def _memory(bench: Bench) -> Figure:
    async with opened_chat(bench, AT_ONCE) as (chat, _):
        resident = [await _after(chat, 0, _KNOWN)]
        resident.append(await _after(chat, _KNOWN, _KNOWN + _CONVERSATIONS))
    return Figure(
        name="rss_over_1000_conversations",
        unit="MiB",
        rounds=[resident[1] - resident[0]],
        goal=at_most(20),
        raw={"RSS MiB": resident},
    )


async def _after(chat: Chat, first: int, end: int) -> float:
    """The memory when each of these people has had an answer."""
    for start in range(first, end, PEOPLE):
        await _ask_all(chat, [chat.direct_room(n) for n in range(start, start + PEOPLE)])
    return resident_mb(chat.lycatra.child.pid)


async def _ask_all(chat: Chat, rooms: Sequence[str]) -> Sequence[float]:
    asking = (chat.ask_ms(room, "is the wiki up?", ANSWER) for room in rooms)
    return await asyncio.gather(*asking)


async def _until_hanging(base_url: str, requests: int) -> None:
    """Return when the model has been asked by as many as it will be."""
    async with asyncio.timeout(_SECONDS):
        while (await _asked(base_url))["now"] < requests:  # noqa: ASYNC110 (another process)
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)


async def _until_left(base_url: str) -> None:
    """Return when nobody waits for the model any more."""
    async with asyncio.timeout(_SECONDS):
        while (await _asked(base_url))["now"]:  # noqa: ASYNC110 (another process)
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)


async def _asked(base_url: str) -> Mapping[str, int]:
    """How often the model was asked since this was asked last."""
    async with (
        aiohttp.ClientSession() as http,
        http.get(base_url.removesuffix("/v1") + ASKED) as answer,
    ):
        counts: Mapping[str, int] = await answer.json()
        return counts


@asynccontextmanager
async def opened_chat(
    bench: Bench, model: str, *, replicas: int = 1, **settings: JSON
) -> AsyncIterator[tuple[Chat, str]]:
    """Replicas with this model and these settings of it, and the model's address."""
    async with (
        AsyncExitStack() as running,
        bench.postgres.fresh_database() as dsn,
        running_homeserver_stub() as stub,
        running_model(bench.folder) as base_url,
        aiohttp.ClientSession() as http,
    ):
        for user in (_MAIN, _UPDATES):
            stub.add_user(user)  # who is in a room exists
        started = []
        for number in range(replicas):
            config = lycatra_config(
                homeserver_url=stub.url.rstrip("/"),
                server_name=SERVER_NAME,
                registration=bench.folder / "unused.yaml",
                database_url=dsn,
                appservice_url="http://127.0.0.1:1",
                model_url=base_url,
                more={"log": {"level": "INFO"}, "access": {"viewer": [f"*:{SERVER_NAME}"]}},
            )
            config["model"] |= {"model": model, **settings}
            config["appservice"] |= {"as_token": AS_TOKEN, "hs_token": _HS_TOKEN}
            del config["appservice"]["registration_file"]
            lycatra = Lycatra(bench.folder, config, f"questions-{model}-{number}")
            started.append(await running.enter_async_context(lycatra))
        yield Chat(stub, started, http), base_url


def _body(content: JSON) -> str:
    new = content.get("m.new_content", content)
    return json.dumps(new.get("body", ""), ensure_ascii=False)


async def measure_fairness(bench: Bench) -> Sequence[Figure]:
    """Ten people, and a model that takes two requests at once: how late is the last, and who."""
    return [*await _fairness(bench, 1, "two_at_once"), *await _fairness(bench, 2, "two_replicas")]


async def _fairness(bench: Bench, replicas: int, name: str) -> Sequence[Figure]:
    lasts: list[float] = []
    behind: list[float] = []
    opened = opened_chat(bench, AFTER_300_MS, replicas=replicas, max_concurrency=_AT_ONCE)
    async with opened as (chat, base_url):
        rooms = [chat.direct_room(n) for n in range(PEOPLE)]
        await _ask_all(chat, rooms)
        await _asked(base_url)
        for _ in in_time(_ROUNDS, _SECONDS):
            waits = sorted(await _ask_all(chat, rooms))
            lasts.append(waits[-1] / 1000)
            # In a fair order everybody has the first of two answers before anybody the second.
            behind.append((waits[-1] - waits[0]) / (_ANSWER_MS * PEOPLE / _AT_ONCE))
        most = (await _asked(base_url))["most"]
    require(most == _AT_ONCE, f"{most} requests were under way at once, not {_AT_ONCE}")
    return [
        Figure(name=f"{name}_last", unit="s", rounds=lasts, goal=at_most(3.45)),
        Figure(name=f"{name}_rounds_behind", unit="rounds", rounds=behind, goal=at_most(1)),
    ]


async def measure_stop(bench: Bench) -> Sequence[Figure]:
    """How long after a 🛑, pushed to either of two replicas, has the model's server been left?"""
    p95: list[float] = []
    opened = opened_chat(bench, NEVER, replicas=2, max_concurrency=1)
    async with opened as (chat, base_url):
        room = chat.direct_room(0)
        for _ in in_time(_ROUNDS, _SECONDS):
            took = []
            for _ in range(_STOPS):
                question, _ = await chat.say(room, "is the wiki up?")
                await _until_hanging(base_url, 1)
                sign, began = await chat.react(room, question, "🛑")
                await _until_left(base_url)
                took.append((time.perf_counter() - began) * 1000)
                await chat.until_answered(room, sign, "stopped")
            p95.append(percentile(took, 0.95))
    return [Figure(name="stopped_p95", unit="ms", rounds=p95, goal=at_most(1000))]


FAIRNESS = Question(
    name="two_at_once",
    figures=(
        "two_at_once_last",
        "two_at_once_rounds_behind",
        "two_replicas_last",
        "two_replicas_rounds_behind",
    ),
    measure=measure_fairness,
)
STOP = Question(name="stop", figures=("stopped_p95",), measure=measure_stop)
QUESTION = Question(
    name="questions_at_once",
    figures=("ten_people_p95", "command_while_hanging_p95", "rss_over_1000_conversations"),
    measure=measure,
)
