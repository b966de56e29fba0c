"""The looks around as plain calls, since questions are asked outside of an event loop.

Inside one, Ctrl-C at a question would only take effect after the answer.
"""

import asyncio
import os
import shutil
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final, TypeVar

import aiohttp
from pydantic import SecretStr

from lycatra_appservice.doctor.address import Seen
from lycatra_appservice.matrix.session import homeserver_session
from lycatra_appservice.setup.answers import Place, SetupError
from lycatra_appservice.setup.looking import (
    OLLAMA_ADDRESSES,
    find_homeserver,
    first_homeserver,
    has_profile,
    models_at,
    server_name_at,
)

FoundT = TypeVar("FoundT")
DEBIAN_FOLDER: Final = Path("/etc/matrix-synapse")
_IN_CONTAINER: Final = (Path("/.dockerenv"), Path("/run/.containerenv"))


class Surroundings:
    """What is around this machine. `ca_file` is for a homeserver with an authority of its own."""

    def __init__(self, ca_file: Path | None = None) -> None:
        self._ca_file = ca_file

    def homeserver(self, url: str) -> Seen:
        """See `find_homeserver`. Raises NoHomeserverError."""
        return self._ask(lambda session: find_homeserver(session, url))

    def usual_homeserver(self, server_name: str) -> Seen | None:
        """See `first_homeserver`."""
        return self._ask(lambda session: first_homeserver(session, server_name))

    def server_name(self, url: str) -> str | None:
        """See `server_name_at`."""
        return self._ask(lambda session: server_name_at(session, url))

    def person(self, url: str, user_id: str) -> bool | None:
        """See `has_profile`."""
        return self._ask(lambda session: has_profile(session, url, user_id))

    def models(self, url: str, api_key: SecretStr | None = None) -> tuple[str, Sequence[str]]:
        """See `models_at`."""
        key = api_key.get_secret_value() if api_key is not None else None
        return self._ask(lambda session: models_at(session, url, key))

    def ollamas(self) -> Sequence[tuple[str, Sequence[str]]]:
        """The addresses where an Ollama with models answers, with these."""

        async def look(session: aiohttp.ClientSession) -> Sequence[tuple[str, Sequence[str]]]:
            looks = (models_at(session, url) for url in OLLAMA_ADDRESSES)
            return [found for found in await asyncio.gather(*looks) if found[1]]

        return self._ask(look)

    def likely_place(self) -> Place:
        """How Synapse probably runs."""
        if DEBIAN_FOLDER.is_dir():
            return Place.HERE
        has_docker = self.in_container or shutil.which("docker") is not None
        return Place.DOCKER if has_docker else Place.HERE

    @property
    def in_container(self) -> bool:
        """Whether this runs in one."""
        return os.name == "posix" and any(mark.exists() for mark in _IN_CONTAINER)

    def _ask(self, look: Callable[[aiohttp.ClientSession], Awaitable[FoundT]]) -> FoundT:
        async def ask() -> FoundT:
            try:
                session = homeserver_session(self._ca_file)
            except OSError as refused:
                raise SetupError(
                    f"--ca-file: {self._ca_file} cannot be used: {refused.strerror}"
                ) from refused
            async with session:
                return await look(session)

        return asyncio.run(ask())
