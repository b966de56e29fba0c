import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from aiohttp.test_utils import TestClient
from aiohttp.web import Application, Request
from pytest_aiohttp.plugin import AiohttpClient

from lycatra_appservice import __version__
from lycatra_appservice.errors import StoreUnavailableError
from lycatra_appservice.ops.health import HealthBoard, Probe, Readiness, UnwellError
from lycatra_appservice.ops.metrics import Metrics
from lycatra_appservice.ops.routes import ops_routes

Client = TestClient[Request, Application]


class Part:
    """A part of the service that does as it is told."""

    def __init__(self) -> None:
        self.error: BaseException | None = None
        self.looks = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def probe(self) -> str:
        self.looks += 1
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return "fine"


class Clock:
    def __init__(self) -> None:
        self.time = datetime(2026, 11, 22, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def pass_(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


class Service:
    """The three routes with parts that can be broken."""

    def __init__(self, names: Sequence[str] = ("homeserver", "database", "model")) -> None:
        self.clock = Clock()
        self.parts = {name: Part() for name in names}
        probes: dict[str, Probe] = {name: part.probe for name, part in self.parts.items()}
        self.board = HealthBoard(probes, now=self.clock)
        self.readiness = Readiness(self.board)
        self.metrics = Metrics()

    async def client(self, aiohttp_client: AiohttpClient) -> Client:
        app = Application()
        app.add_routes(ops_routes(self.board, self.readiness, self.metrics))

        async def close(_: Application) -> None:
            await self.board.close()

        app.on_cleanup.append(close)
        return await aiohttp_client(app)


async def test_healthz_tells_version_and_every_part(aiohttp_client: AiohttpClient) -> None:
    service = Service()
    response = await (await service.client(aiohttp_client)).get("/healthz")
    assert response.status == 200
    assert response.headers["Cache-Control"] == "no-store"
    well = {"ok": True, "detail": "fine", "since": "2026-11-22T12:00:00+00:00"}
    assert await response.json() == {
        "status": "ok",
        "version": __version__,
        "components": {"homeserver": well, "database": well, "model": well},
    }


@pytest.mark.parametrize(
    ("error", "detail"),
    [
        (UnwellError("404 for\n/models"), "404 for /models"),
        (StoreUnavailableError("host db.internal"), StoreUnavailableError().user_message),
        (ConnectionRefusedError("127.0.0.1"), "cannot be reached"),
        (aiohttp.ClientPayloadError("secret"), "cannot be reached"),
        (KeyError("a bug in the probe"), "could not be checked; the log says why"),
        (asyncio.CancelledError(), "could not be checked; the log says why"),
    ],
)
async def test_a_part_that_fails_in_any_way_leaves_healthz_alive(
    aiohttp_client: AiohttpClient, error: BaseException, detail: str
) -> None:
    service = Service()
    service.parts["model"].error = error
    response = await (await service.client(aiohttp_client)).get("/healthz")
    assert response.status == 200
    parts = (await response.json())["components"]
    assert (parts["model"]["ok"], parts["model"]["detail"]) == (False, detail)
    assert parts["database"]["ok"]


async def test_since_stays_until_the_state_turns_round(
    aiohttp_client: AiohttpClient, caplog: pytest.LogCaptureFixture
) -> None:
    service = Service(["model"])
    client = await service.client(aiohttp_client)
    caplog.set_level(logging.INFO)
    seen = []
    for error in (None, None, UnwellError("down"), UnwellError("down"), None):
        service.parts["model"].error = error
        model = (await (await client.get("/healthz")).json())["components"]["model"]
        seen.append((model["ok"], model["since"][14:19]))
        service.clock.pass_(60)
    assert seen == [
        (True, "00:00"),
        (True, "00:00"),
        (False, "02:00"),
        (False, "02:00"),
        (True, "04:00"),
    ]
    told = [record.message for record in caplog.records if "component_" in record.message]
    assert told == ["component_up", "component_down", "component_up"]


async def test_parts_are_looked_at_again_only_after_a_while(
    aiohttp_client: AiohttpClient,
) -> None:
    service = Service(["database"])
    client = await service.client(aiohttp_client)
    for _ in range(3):
        await client.get("/healthz")
    assert service.parts["database"].looks == 1
    service.clock.pass_(6)
    await client.get("/healthz")
    assert service.parts["database"].looks == 2
    service.clock.pass_(-3600)  # somebody set the clock back
    await client.get("/healthz")
    assert service.parts["database"].looks == 3


async def test_many_who_ask_at_once_cause_one_look() -> None:
    service = Service(["database"])
    part = service.parts["database"]
    part.gate.clear()
    asked = [asyncio.create_task(service.board.components()) for _ in range(10)]
    await asyncio.sleep(0)
    part.gate.set()
    async with asyncio.timeout(5):
        answers = await asyncio.gather(*asked)
    assert part.looks == 1
    assert all(answer[0].ok for answer in answers)


async def test_nobody_waits_for_a_part_that_hangs_and_the_others_are_known() -> None:
    service = Service(["homeserver", "database"])
    service.parts["homeserver"].gate.clear()
    async with asyncio.timeout(5):
        homeserver, database = await service.board.components(timedelta(milliseconds=20))
    assert (homeserver.ok, homeserver.detail) == (False, "not known yet")
    assert database.ok
    await service.board.close()


async def test_a_part_that_hangs_is_called_down_after_its_deadline() -> None:
    part = Part()
    part.gate.clear()
    board = HealthBoard({"homeserver": part.probe}, deadline=timedelta(milliseconds=20))
    async with asyncio.timeout(5):
        [homeserver] = await board.components()
    assert (homeserver.ok, homeserver.detail) == (False, "no answer within 0.02 s")


async def readiness(client: Client) -> tuple[int, list[str]]:
    response = await client.get("/readyz")
    body = await response.json()
    assert body["ready"] is (response.status == 200)
    reasons = body["reasons"]
    assert isinstance(reasons, list)
    return response.status, reasons


async def test_ready_means_started_not_draining_and_a_database(
    aiohttp_client: AiohttpClient,
) -> None:
    service = Service()
    client = await service.client(aiohttp_client)
    assert await readiness(client) == (503, ["still starting"])
    service.readiness.start()
    assert await readiness(client) == (200, [])
    service.parts["database"].error = UnwellError("away")
    service.clock.pass_(6)
    assert await readiness(client) == (503, ["database: away"])
    service.parts["database"].error = None
    service.clock.pass_(6)
    service.readiness.refuse("schema: a newer program changed it")
    assert await readiness(client) == (503, ["schema: a newer program changed it"])
    service.readiness.refuse(None)
    service.readiness.drain()
    assert await readiness(client) == (503, ["shutting down"])


async def test_neither_the_model_nor_the_homeserver_makes_a_replica_unready(
    aiohttp_client: AiohttpClient,
) -> None:
    service = Service()
    service.readiness.start()
    service.parts["model"].error = UnwellError("away")
    service.parts["homeserver"].error = UnwellError("away")
    assert await readiness(await service.client(aiohttp_client)) == (200, [])


async def test_metrics_are_served_as_prometheus_reads_them(aiohttp_client: AiohttpClient) -> None:
    service = Service()
    response = await (await service.client(aiohttp_client)).get("/metrics")
    assert response.status == 200
    assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert 'lycatra_turns_total{kind="ask",outcome="done"} 0.0' in await response.text()
