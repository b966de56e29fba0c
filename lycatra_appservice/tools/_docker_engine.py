"""The Docker Engine as tools ask it; needs the extra `docker`, so import it late."""

import errno
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from aiodocker import Docker, DockerError
from aiohttp import ClientError

from lycatra_appservice.toolkit.base import GuardedSession, Outbound, ToolFailedError
from lycatra_appservice.tools._docker_frames import LogReader, LogTail

_CONNECTION_FAILED = 900  # aiodocker's own, where HTTP has no status
# What reading an answer ends in, in aiodocker and here, when it is none.
_NO_ANSWER = (ClientError, OSError, LookupError, TypeError, ValueError, AttributeError)
_PROJECT = "com.docker.compose.project"
_SERVICE = "com.docker.compose.service"
_ONE_OFF = "com.docker.compose.oneoff"
_RULE_OF_PROXY = "A socket proxy has to let through reading, and what is asked for."


class EngineError(ToolFailedError):
    """The engine could not be asked, or refused; `status` is its answer's, if it answered."""

    def __init__(self, said: str, status: int | None = None) -> None:
        super().__init__(said)
        self.status = status

    @property
    def is_settled(self) -> bool:
        """Whether the engine said no, so that nothing was changed."""
        return self.status is not None and self.status < 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A container as it was when it was looked at; `image` is the one it was made of, by name."""

    name: str
    image: str
    status: str  # running, restarting, exited …
    health: str | None  # healthy, starting, unhealthy; None without a health check
    exit_code: int
    started_at: str
    restarts_itself: bool
    restarts: int = 0  # by the engine itself, since the container was made

    @property
    def is_well(self) -> bool:
        """Whether it runs, and is healthy where that is checked."""
        return self.status == "running" and self.health in (None, "healthy")

    @property
    def has_given_up(self) -> bool:
        """Whether it ended and nobody will start it again."""
        return self.status in ("exited", "dead") and not self.restarts_itself

    @property
    def state(self) -> str:
        """In words, such as `running, healthy`."""
        if self.status in ("exited", "dead"):
            return f"{self.status} with code {self.exit_code}"
        health = {None: "", "starting": ", its health not known yet"}
        return self.status + health.get(self.health, f", {self.health}")


class Engine:
    """One engine. Each method raises EngineError."""

    def __init__(self, docker: Docker, session: GuardedSession | None) -> None:
        """Made by `docker_engine`; without a session it is reached by a socket of this machine."""
        self._docker = docker
        self._session = session

    async def container(self, name: str) -> Container | None:
        """The container that is called so; the beginning of an id is no name."""
        try:
            with self._in_words():
                found = read_container(await self._docker.containers.container(name).show())
        except EngineError as exc:
            if exc.status == 404:
                return None
            raise
        return found if found.name == name else None

    async def of_compose(self, project: str, service: str) -> Sequence[Container]:
        """The containers of a compose service, by their names; not those of `compose run`."""
        labels = [f"{_PROJECT}={project}", f"{_SERVICE}={service}", f"{_ONE_OFF}=False"]
        with self._in_words():
            listed = await self._docker.containers.list(
                all=True, filters=json.dumps({"label": labels})
            )
            shown = [read_container(await each.show()) for each in listed]
        return sorted(shown, key=lambda each: each.name)

    async def restart(self, name: str, stop_seconds: int | None) -> None:
        """Stop it, killing it after so many seconds (by default its own), and start it."""
        with self._in_words():
            await self._docker.containers.container(name).restart(t=stop_seconds)

    async def log(
        self, name: str, *, since: datetime, most_lines: int, most_bytes: int, kept_bytes: int
    ) -> LogTail:
        """The end of what a container has written, each line behind the time it came at.

        Of the newest `most_lines` since then; reading stops at `most_bytes`.
        """
        wanted = {
            "stdout": "1",
            "stderr": "1",
            "timestamps": "1",
            "since": f"{max(0, since.timestamp()):.0f}",
            "tail": str(most_lines),
        }
        with self._in_words():
            shown = await self._docker.containers.container(name).show()
            reader = LogReader(
                tty=bool(shown["Config"].get("Tty")), most_bytes=most_bytes, kept_bytes=kept_bytes
            )
            # aiodocker itself would keep all of it, and a frame as long as its header says.
            place = f"{self._docker.docker_host}/{self._docker.api_version}"
            async with self._docker.session.get(
                f"{place}/containers/{name}/logs", params=wanted
            ) as answer:
                if answer.status != 200:
                    raise DockerError(answer.status, "no log")
                async for piece in answer.content.iter_any():
                    reader.feed(piece)
                    if reader.is_full:
                        break
        return reader.tail()

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except DockerError as exc:
            raise self._error(exc) from exc
        except _NO_ANSWER as exc:
            raise EngineError("Docker gave no valid answer.") from exc

    def _error(self, error: DockerError) -> EngineError:
        if error.status == _CONNECTION_FAILED:
            return EngineError(self._unreachable(error.__context__))
        if error.status in (401, 403):
            said = f"Docker does not let me do that (HTTP {error.status}). {_RULE_OF_PROXY}"
            return EngineError(said, error.status)
        return EngineError(f"Docker refused (HTTP {error.status}).", error.status)

    def _unreachable(self, cause: BaseException | None) -> str:
        if self._session is not None and isinstance(cause, Exception):
            return self._session.failure(cause).user_message
        match cause:
            case OSError(errno=errno.EACCES | errno.EPERM):
                return (
                    "I may not use Docker's socket. The user that I run as needs the right to, "
                    "often by the group `docker`."
                )
            case OSError(errno=errno.ENOENT):
                return "Docker's socket is not there: Docker does not run, or it is elsewhere."
            case OSError(errno=errno.ECONNREFUSED):
                return "Nobody answers at Docker's socket: Docker does not run."
            case _:
                return "Docker gave no valid answer."


EngineT = TypeVar("EngineT", bound=Engine)


@asynccontextmanager
async def docker_engine(address: str, http: Outbound) -> AsyncIterator[Engine]:
    """The engine at `unix:///path`, or at an `http://host:port` that the settings allow."""
    async with engine_as(Engine, address, http) as engine:
        yield engine


@asynccontextmanager
async def engine_as(
    kind: Callable[[Docker, GuardedSession | None], EngineT], address: str, http: Outbound
) -> AsyncIterator[EngineT]:
    """The same, as an Engine that can do more."""
    if address.startswith("unix://"):
        async with Docker(url=address) as docker:
            yield kind(docker, None)
        return
    async with (
        http.session(address) as session,
        Docker(url=address, session=session.client, connector=session.client.connector) as docker,
    ):
        yield kind(docker, session)


def read_container(shown: Mapping[str, Any]) -> Container:
    """What an engine shows of one, in short.

    Raises LookupError, TypeError or AttributeError for what is no container.
    """
    state, policy = shown["State"], shown.get("HostConfig", {}).get("RestartPolicy") or {}
    health = (state.get("Health") or {}).get("Status")
    return Container(
        name=shown["Name"].removeprefix("/"),
        image=shown["Config"]["Image"],
        status=state["Status"],
        health=None if health == "none" else health,
        exit_code=state.get("ExitCode", 0),
        started_at=state.get("StartedAt", ""),
        restarts_itself=policy.get("Name") not in (None, "", "no"),
        restarts=shown.get("RestartCount") or 0,
    )
