"""Our way in as it runs, routes to database, without the rest of the service.

`POST /bench/crowds` makes the rooms of its body known as crowds, as their first turn would.
"""

import asyncio
import os
from collections.abc import Sequence

import aiohttp
from aiohttp import web
from pydantic import SecretStr

from benchmarks.servers.serving import HS_TOKEN, TAKEN, arguments, until_terminated
from lycatra_appservice.app.listeners import Listeners
from lycatra_appservice.chat.commands import CommandWords
from lycatra_appservice.chat.reading import make_reader
from lycatra_appservice.db.connection import Database
from lycatra_appservice.db.migrate import migrate
from lycatra_appservice.db.open import open_database
from lycatra_appservice.db.statements import Statements, parse_statement
from lycatra_appservice.intake.classify import Classifier
from lycatra_appservice.intake.routes import Intake
from lycatra_appservice.intake.sorter import EventSorter
from lycatra_appservice.intake.token import HomeserverToken
from lycatra_appservice.matrix.client import MatrixClient
from lycatra_appservice.matrix.rooms import RoomStore
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import RoomID
from lycatra_appservice.ops.logs import LogFormat, configure_logging
from lycatra_appservice.ops.metrics import Metrics
from lycatra_appservice.settings import Listen
from lycatra_appservice.toolkit.discovery import discover
from lycatra_appservice.turns.inbox import Inbox

CROWDS = "/bench/crowds"
_PEOPLE_OF_A_CROWD = 5
_COUNT = parse_statement("count", "SELECT count(*) AS turns FROM turn")
_PUT_ROOM = parse_statement(
    "put_room",
    "INSERT INTO room (id, membership, power, creators, state_at) "
    """VALUES (:room, 'join', 'null', '{"users": [], "above_all": false}', 0)""",
)


class _Beside:
    """What a benchmark asks beside pushing."""

    def __init__(self, database: Database, rooms: RoomStore, users: VirtualUsers) -> None:
        self._database = database
        self._rooms = rooms
        self._users = users
        self._sql = Statements.load("lycatra_appservice.matrix", "rooms", database.dialect)

    def routes(self) -> Sequence[web.RouteDef]:
        """Both of them."""
        return [web.get(TAKEN, self._taken), web.post(CROWDS, self._crowds)]

    async def _taken(self, _: web.Request) -> web.Response:
        row = await self._database.fetch_one(_COUNT)
        return web.json_response(row["turns"] if row else 0)

    async def _crowds(self, request: web.Request) -> web.Response:
        rooms = [RoomID(room) for room in await request.json()]
        for room in rooms:
            await self._fill(room)
            await self._rooms.view(room, self._users.main)
        return web.json_response(sum(map(self._rooms.is_crowd, rooms)))

    async def _fill(self, room: RoomID) -> None:
        async with self._database.transaction() as connection:
            await connection.execute(_PUT_ROOM, room=room)
            for n in range(_PEOPLE_OF_A_CROWD):
                await connection.execute(
                    self._sql["put_member"],
                    room=room,
                    user_id=f"@person{n}:hs.test",
                    membership="join",
                    display_name=None,
                    sent_away=0,
                )


async def _on_heartbeat(_: str) -> None:
    """Nobody beats here."""


def _intake(database: Database, rooms: RoomStore, users: VirtualUsers) -> Intake:
    registry = discover()
    tools = {each.name: registry.tools_of(each.name) for each in registry.namespaces}
    classifier = Classifier(users, make_reader(users, CommandWords(tools, ("!", "/"))))
    return Intake(
        HomeserverToken([SecretStr(HS_TOKEN)]),
        Inbox(database),
        EventSorter(classifier, rooms),
        users,
        Metrics([tool.name for tool in registry.tools]),
        _on_heartbeat,
    )


async def _main(port: int, dsn: str) -> None:
    database = (await open_database(dsn)).database
    await migrate(database)
    users = VirtualUsers(server_name="hs.test", namespaces=discover().namespaces)
    async with aiohttp.ClientSession() as session, Listeners() as listeners:
        client = MatrixClient(session, "http://127.0.0.1:1", SecretStr("unused"))
        rooms = RoomStore(database, client, users)
        beside = _Beside(database, rooms, users)
        routes = [*_intake(database, rooms, users).routes(), *beside.routes()]
        await listeners.open(Listen(host="127.0.0.1", port=port), routes)
        await until_terminated()
    await database.close()


def _log_as_in_service() -> None:
    stream = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 (open as long as the process)
    configure_logging(
        level="INFO", log_format=LogFormat.JSON, replica="bench", secrets=[HS_TOKEN], stream=stream
    )


if __name__ == "__main__":
    _log_as_in_service()
    asyncio.run(_main(*arguments()))
