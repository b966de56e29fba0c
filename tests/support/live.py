"""A running service that the tests of a module share."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import JSON
from tests.support.gate import Gate
from tests.support.lycatra import Lycatra
from tests.support.model_server import ModelServer
from tests.support.site import Site
from tests.support.stage import Stage, open_stage, sqlite_in
from tests.support.tables import Tables

# Nobody may do anything who is called so.
REFUSED = "stranger"
MODEL_KEY = "canary-of-the-model-0123456789"


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """The service with everything around it; `gate` is a service that it watches."""

    stage: Stage
    replica: Lycatra
    model: ModelServer
    gate: Gate
    tables: Tables

    @property
    def users(self) -> VirtualUsers:
        """Our users."""
        return self.stage.users


@asynccontextmanager
async def open_live(
    site: Site, folder: Path, *, more: Mapping[str, JSON] | None = None
) -> AsyncIterator[Live]:
    """A service on SQLite with a scripted model, ready to answer; `more` are its settings."""
    model = ModelServer()
    await model.start()
    try:
        async with open_stage(site, folder) as stage:
            gate = await stage.enter(Gate())
            gate.open()
            url = sqlite_in(folder)
            settings = {**_settings(site, model, gate), **(more or {})}
            replica = await stage.replica(url, more=settings)
            await replica.start()
            yield Live(stage=stage, replica=replica, model=model, gate=gate, tables=Tables(url))
    finally:
        await model.stop()


def _settings(site: Site, model: ModelServer, gate: Gate) -> dict[str, JSON]:
    return {
        "access": {"none": [f"@{REFUSED}:{site.homeserver.server_name}"]},
        "model": {
            "base_url": model.base_url,
            "model": "scripted",
            "api_key": MODEL_KEY,
            "images": True,
        },
        "tools": gate.as_tools(),
    }
