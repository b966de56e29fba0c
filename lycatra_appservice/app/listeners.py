"""The HTTP listeners: the main one, and where configured a second one for the operator's eyes."""

from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self

from aiohttp import web

from lycatra_appservice.errors import LycatraError
from lycatra_appservice.ops.access_log import AccessLog
from lycatra_appservice.settings import Listen

_CLOSING_SECONDS: Final = 5.0  # for requests under way; a push takes milliseconds


class ListenError(LycatraError):
    """An address cannot be listened on."""


class Listeners:
    """Opened by `async with`; closing them lets requests under way end."""

    def __init__(self) -> None:
        self._runners: list[web.AppRunner] = []
        self.ports: list[int] = []

    async def open(self, listen: Listen, routes: Sequence[web.RouteDef]) -> int:
        """Listen on an address and return its port (the system's choice for port 0)."""
        application = web.Application()
        application.add_routes(routes)
        runner = web.AppRunner(
            application, access_log_class=AccessLog, shutdown_timeout=_CLOSING_SECONDS
        )
        await runner.setup()
        self._runners.append(runner)
        site = web.TCPSite(runner, listen.host, listen.port)
        try:
            await site.start()
        except OSError as error:
            raise ListenError(
                f"cannot listen on {listen.host}:{listen.port}: {error.strerror}"
            ) from error
        port: int = runner.addresses[0][1]
        self.ports.append(port)
        return port

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for runner in self._runners:
            await runner.cleanup()
