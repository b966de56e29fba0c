"""A listener in the place of the service while it does not run: answers the homeserver's ping."""

import os
from types import TracebackType
from typing import Final, Self

from aiohttp import web

from lycatra_appservice.errors import LycatraError
from lycatra_appservice.intake.routes import PREFIX
from lycatra_appservice.intake.token import HomeserverToken, error_response
from lycatra_appservice.settings import Appservice, Listen

_CLOSING_SECONDS: Final = 1.0


class PortError(LycatraError):
    """The configured address cannot be listened on; the message says which and why."""

    said = "The configured port cannot be used."


class StandIn:
    """Listens while entered. Events are refused with 503, so that the homeserver keeps them.

    Raises PortError on entering. `refused` counts calls with a wrong token.
    """

    def __init__(self, appservice: Appservice) -> None:
        previous = appservice.hs_token_previous
        self._token = HomeserverToken([appservice.hs_token, *([previous] if previous else [])])
        self._listen = appservice.listen
        self._runner: web.AppRunner | None = None
        self.pinged = False
        self.refused = 0

    async def __aenter__(self) -> Self:
        application = web.Application()
        application.add_routes(
            [
                web.post(f"{PREFIX}/ping", self._ping),
                web.route("*", "/{rest:.*}", self._anything),
            ]
        )
        self._runner = web.AppRunner(
            application, access_log=None, shutdown_timeout=_CLOSING_SECONDS
        )
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._listen.host, self._listen.port).start()
        except OSError as error:
            await self._runner.cleanup()
            raise PortError(_cannot(self._listen, error)) from error
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _ping(self, request: web.Request) -> web.Response:
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        self.pinged = True
        return web.json_response({})

    async def _anything(self, request: web.Request) -> web.Response:
        return self._refusal(request) or error_response(
            503, "M_UNAVAILABLE", "Lycatra is being set up; send it again."
        )

    def _refusal(self, request: web.Request) -> web.Response | None:
        refusal = self._token.refusal(request)
        self.refused += refusal is not None
        return refusal


def _cannot(listen: Listen, error: OSError) -> str:
    # asyncio's own text repeats the address in the shape of a tuple.
    reason = os.strerror(error.errno) if error.errno else "the system refused"
    return f"cannot listen on {listen.host} port {listen.port}: {reason}"
