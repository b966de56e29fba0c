"""A Docker Engine as tools change what runs on it; needs the extra `docker`, so import it late."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from lycatra_appservice.toolkit.base import Outbound
from lycatra_appservice.tools._docker_engine import (
    Container,
    Engine,
    EngineError,
    engine_as,
    read_container,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A container with all that the engine tells of it; `image_id` is what its image was."""

    container: Container
    image_id: str
    everything: Mapping[str, Any]


class ChangingEngine(Engine):
    """One engine, with what a deployment needs beside looking. Each method raises EngineError."""

    async def shown(self, name: str) -> Shown | None:
        """The container that is called so."""
        try:
            with self._in_words():
                everything = await self._docker.containers.container(name).show()
                found = read_container(everything)
                shown = Shown(
                    container=found, image_id=everything["Image"], everything=dict(everything)
                )
        except EngineError as exc:
            if exc.status == 404:
                return None
            raise
        return shown if found.name == name else None

    async def image(self, name: str) -> Mapping[str, Any] | None:
        """What the engine has under the name or id of an image; `Id` and `Config` are in it."""
        try:
            with self._in_words():
                found = dict(await self._docker.images.inspect(name))
                if not isinstance(found["Config"], dict | None) or not isinstance(
                    found["Id"], str
                ):
                    raise TypeError
        except EngineError as exc:
            if exc.status == 404:
                return None
            raise
        return found

    async def pull(self, image: str, login: Mapping[str, str] | None) -> None:
        """Have the engine get an image with its tag, however long that takes."""
        try:
            with self._in_words():
                async for _ in self._docker.images.pull(
                    image, auth=dict(login) if login else None, stream=True
                ):
                    pass
        except EngineError as exc:
            # An error inside of the answer has no status of its own.
            if exc.status in (0, 404, 500):
                said = f"Docker could not get the image `{image}` from its registry."
                raise EngineError(said, exc.status) from exc.__cause__
            raise

    async def create(
        self, name: str, body: Mapping[str, Any], networks: Mapping[str, Mapping[str, Any]]
    ) -> None:
        """Make a container, stopped, and connect it to networks beside the one of its `body`."""
        with self._in_words():
            await self._docker.containers.create(dict(body), name=name)
            for network, endpoint in networks.items():
                found = await self._docker.networks.get(network)
                await found.connect({"Container": name, "EndpointConfig": dict(endpoint)})

    async def start(self, name: str) -> None:
        """Start it; nothing when it runs."""
        with self._in_words():
            await self._docker.containers.container(name).start()

    async def stop(self, name: str, stop_seconds: int | None) -> None:
        """Stop it, killing it after so many seconds (by default its own)."""
        with self._in_words():
            await self._docker.containers.container(name).stop(t=stop_seconds)

    async def rename(self, name: str, to: str) -> None:
        """Give it another name."""
        with self._in_words():
            await self._docker.containers.container(name).rename(to)

    async def remove(self, name: str) -> None:
        """Take it away, running or not, if it is there; its volumes stay."""
        try:
            with self._in_words():
                await self._docker.containers.container(name).delete(force=True)
        except EngineError as exc:
            if exc.status != 404:
                raise


@asynccontextmanager
async def changing_engine(address: str, http: Outbound) -> AsyncIterator[ChangingEngine]:
    """The engine at `unix:///path`, or at an `http://host:port` that the settings allow."""
    async with engine_as(ChangingEngine, address, http) as engine:
        yield engine
