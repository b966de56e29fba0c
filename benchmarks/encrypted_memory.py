"""How much more memory a replica holds when the rooms in which it has answered are encrypted.

Each answer there needs a session of its room, and one with its person's device. The replica of the
same rooms in clear is another process: what the first rooms leave behind would make place for the
others.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from benchmarks.key_homeserver import KeyHomeserver, running_key_homeserver
from benchmarks.measuring import Figure, at_most, interleave, require
from benchmarks.programs import resident_mb
from benchmarks.question import Bench
from lycatra_appservice.demo.secret_client import SEALED
from lycatra_appservice.model import JSON
from tests.support.encrypted_site import encryption
from tests.support.lycatra import Lycatra, lycatra_config
from tests.support.pushes import Pusher, message
from tests.support.tables import Tables
from tests.support.waiting import until

_ROUNDS: Final = 3
_LONGEST_SECONDS: Final = 100
_ROOMS: Final = 1000
_A_PUSH: Final = 100
_ANSWER_SECONDS: Final = 120
_IDLE_SECONDS: Final = 2.0
_SERVER_NAME: Final = "hs.test"
_OURS: Final = f"@lycatra:{_SERVER_NAME}"
_TOKEN: Final = "token-of-the-benchmarks"  # noqa: S105 (of nobody's homeserver)
_PEOPLE: Final = {f"!room{n}:{_SERVER_NAME}": f"@person{n}:{_SERVER_NAME}" for n in range(_ROOMS)}
_SESSIONS: Final = "SELECT room FROM crypto_outbound WHERE messages > 0"


async def measure_memory(bench: Bench) -> Sequence[Figure]:
    """Let a replica answer in clear rooms, another one in encrypted ones, in turns."""
    memory = await interleave(
        _ROUNDS,
        {
            "clear": lambda: _memory_mb(bench, encrypted=False),
            "encrypted": lambda: _memory_mb(bench, encrypted=True),
        },
        _LONGEST_SECONDS,
    )
    pairs = zip(memory["encrypted"], memory["clear"], strict=True)
    return [
        Figure(
            name="rss_encrypted_rooms",
            unit="MiB",
            rounds=[encrypted - clear for encrypted, clear in pairs],
            goal=at_most(30),
            raw={f"{name}, MiB": rounds for name, rounds in memory.items()},
        )
    ]


async def _memory_mb(bench: Bench, *, encrypted: bool) -> float:
    """What a new replica holds when every room has had its answer."""
    async with (
        bench.postgres.fresh_database() as dsn,
        running_key_homeserver(_PEOPLE, _OURS, encrypted=encrypted) as homeserver,
        _replica(bench, homeserver, dsn) as replica,
    ):
        tables = Tables(dsn)
        await _until_device_ready(tables)
        await _push(replica, [message(room, by, "!list updates") for room, by in _PEOPLE.items()])
        await _until_answered(homeserver, SEALED if encrypted else "m.room.message")
        await asyncio.sleep(_IDLE_SECONDS)
        sessions = len(await tables.rows(_SESSIONS))
        require(sessions == (_ROOMS if encrypted else 0), f"{sessions} sessions were used")
        return resident_mb(replica.child.pid)


async def _until_answered(homeserver: KeyHomeserver, event_type: str) -> None:
    rooms = {(event_type, room) for room in _PEOPLE}

    async def answered() -> bool:
        return rooms <= homeserver.sent.keys()

    await until(answered, f"an {event_type} in each room", _ANSWER_SECONDS)


async def _push(replica: Lycatra, events: Sequence[JSON]) -> None:
    pusher = Pusher(replica.url, _TOKEN)
    for first in range(0, len(events), _A_PUSH):
        answer = await pusher.push(events[first : first + _A_PUSH])
        require(answer.status == 200, f"a push was answered {answer}")


async def _until_device_ready(tables: Tables) -> None:
    async def is_ready() -> bool:
        rows = await tables.rows("SELECT user_id FROM crypto_account WHERE signed = 1")
        return any(row["user_id"] == _OURS for row in rows)

    await until(is_ready, f"the device of {_OURS}")


@asynccontextmanager
async def _replica(bench: Bench, homeserver: KeyHomeserver, dsn: str) -> AsyncIterator[Lycatra]:
    config = lycatra_config(
        homeserver_url=f"http://127.0.0.1:{homeserver.port}",
        server_name=_SERVER_NAME,
        registration=bench.folder / "unused.yaml",
        database_url=dsn,
        appservice_url="http://127.0.0.1:1",
        more={"log": {"level": "INFO"}, **encryption()},
    )
    config["appservice"] |= {"as_token": _TOKEN[::-1], "hs_token": _TOKEN}
    del config["appservice"]["registration_file"]
    async with Lycatra(bench.folder, config, "encrypted_memory") as replica:
        yield replica
