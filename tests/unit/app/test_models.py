"""The models of a process as its health and its figures show them."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, aclosing
from pathlib import Path

import pytest

from lycatra_appservice.agent.backend import Backend
from lycatra_appservice.agent.loop import Agent
from lycatra_appservice.agent.messages import UserMessage
from lycatra_appservice.agent.model_wait import WaitStore
from lycatra_appservice.agent.models import ModelWish
from lycatra_appservice.app.models import RunningModels, measured_models, run_models
from lycatra_appservice.app.parts import secrets_of
from lycatra_appservice.db.open import OpenedDatabase, open_database
from lycatra_appservice.errors import ModelError
from lycatra_appservice.ops.health import UnwellError
from lycatra_appservice.ops.metrics import Metrics
from lycatra_appservice.settings import Model, NamedModel, Settings
from tests.support.model_server import model_server, refuses, says
from tests.support.turns import LEASE
from tests.unit.agent.support import Journal, Toolbox, question


async def _ask(backend: Backend) -> None:
    async with aclosing(
        backend.stream([UserMessage(text="hi")], (), tool_choice="auto")
    ) as deltas:
        async for _ in deltas:
            pass


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[OpenedDatabase]:
    """A database without a schema: who asks it anything fails."""
    made = await open_database(f"sqlite:///{tmp_path / 'lycatra.db'}")
    yield made
    await made.database.close()


def run(
    configured: Mapping[str, Model], opened: OpenedDatabase, stack: AsyncExitStack
) -> RunningModels | None:
    metrics = Metrics(models=measured_models(configured))
    waiting = WaitStore(opened.database, "one", LEASE)
    return run_models(configured, metrics, stack, waiting, opened.signals)


async def test_a_model_without_a_limit_costs_no_question_to_the_database(
    opened: OpenedDatabase,
) -> None:
    async with model_server() as server, AsyncExitStack() as stack:
        section = {"base_url": server.base_url, "model": "m"}
        running = run({"model": Model.model_validate(section)}, opened, stack)
        assert running is not None
        server.will(says("Hello."))

        given = await Agent(running.models).answer(question(), Toolbox(), Journal())
        await running.slots.renew()

        assert given.said == "Hello."


async def test_health_shows_each_model_and_one_that_is_left_alone(
    opened: OpenedDatabase,
) -> None:
    async with model_server() as server, AsyncExitStack() as stack:
        server.models = ["m"]
        section = {"base_url": server.base_url, "model": "m"}
        configured = {name: NamedModel.model_validate(section) for name in ("home", "cloud")}
        running = run(configured, opened, stack)
        assert running is not None
        assert list(running.probes) == ["model home", "model cloud"]
        assert await running.probes["model home"]() == "reachable; it has m"

        server.will(*[refuses(500, {"message": "no"})] * 5)
        [home, _] = running.models.line_up(ModelWish())
        for _ in range(5):
            with pytest.raises(ModelError):
                await _ask(home.backend)

        with pytest.raises(UnwellError, match="left alone for 15 s, because it failed"):
            await running.probes["model home"]()
        assert await running.probes["model cloud"]() == "reachable; it has m"


async def test_warming_up_asks_no_server_and_survives_a_wrong_file(
    tmp_path: Path, opened: OpenedDatabase
) -> None:
    async with model_server() as server, AsyncExitStack() as stack:
        right = {"base_url": server.base_url, "model": "m"}
        wrong = {**right, "ca_file": str(tmp_path / "missing.pem")}
        configured = {
            "wrong": NamedModel.model_validate(wrong),
            "right": NamedModel.model_validate(right),
        }
        running = run(configured, opened, stack)
        assert running is not None
        await running.warm_up()
        assert server.asked == []


async def test_looking_at_its_health_ends_the_rest_of_a_model_that_is_back(
    opened: OpenedDatabase,
) -> None:
    async with model_server() as server, AsyncExitStack() as stack:
        configured = {"model": Model(base_url=server.base_url, model="m")}
        running = run(configured, opened, stack)
        assert running is not None
        [model] = running.models.line_up(ModelWish())
        await server.stop()
        for _ in range(5):
            with pytest.raises(ModelError):
                await _ask(model.backend)
        with pytest.raises(ModelError):
            await running.probes["model"]()
        again = await stack.enter_async_context(model_server(port=server.port))
        again.models = ["m"]
        with pytest.raises(UnwellError, match="left alone for 0 s"):
            await running.probes["model"]()
        again.will(says("hi"))
        await _ask(model.backend)
        assert await running.probes["model"]() == "reachable; it has m"


async def test_one_model_is_called_as_its_section_and_none_is_none(
    opened: OpenedDatabase,
) -> None:
    async with AsyncExitStack() as stack:
        one = {"model": Model(base_url="http://127.0.0.1:9/v1", model="m")}
        running = run(one, opened, stack)
        assert running is not None
        assert list(running.probes) == ["model"]
        assert run({}, opened, stack) is None


@pytest.mark.parametrize(
    ("base_url", "provider"),
    [
        ("https://api.openai.com/v1", "openai"),
        ("https://mine.openai.azure.com/v1", "azure.ai.openai"),
        ("https://api.mistral.ai/v1", "mistral_ai"),
        ("https://notopenai.com/v1", "openai_compatible"),
        ("http://localhost:11434/v1", "openai_compatible"),
    ],
)
def test_figures_name_the_provider_as_opentelemetry_does(base_url: str, provider: str) -> None:
    [measured] = measured_models({"model": Model(base_url=base_url, model="m")})
    assert (measured.backend, measured.provider, measured.model) == ("model", provider, "m")


def test_keys_headers_and_the_proxys_password_are_known_as_secrets() -> None:
    section = {
        "base_url": "http://127.0.0.1:9/v1",
        "model": "m",
        "api_key": "the-key-1",
        "headers": {"X-Key": "the-header-2"},
        "proxy": "http://me:the-word-3@proxy.test:3128",
    }
    settings = Settings.model_validate(
        {
            "homeserver": {"url": "http://127.0.0.1:9", "server_name": "hs.test"},
            "appservice": {"as_token": "a" * 32, "hs_token": "h" * 32},
            "models": {"home": section},
        }
    )
    assert {"the-key-1", "the-header-2", "the-word-3"} <= set(secrets_of(settings))
    assert not any(each in repr(settings) for each in ("the-key-1", "the-header-2", "the-word-3"))
