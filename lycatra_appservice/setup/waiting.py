"""Waiting until the homeserver has read the registration and reaches us; then a look at it."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from time import monotonic
from typing import Final, TypeAlias

import aiohttp

from lycatra_appservice.doctor.accounts import check_accounts
from lycatra_appservice.doctor.address import look_at
from lycatra_appservice.doctor.findings import Finding
from lycatra_appservice.doctor.homeserver import judge_clock, judge_encryption
from lycatra_appservice.doctor.introduction import check_namespace, check_token
from lycatra_appservice.doctor.ping import Echo, Ping, judge_ping, ping
from lycatra_appservice.doctor.port import Holder, who_listens
from lycatra_appservice.doctor.stand_in import StandIn
from lycatra_appservice.doctor.synapse_version import judge_version, which_software
from lycatra_appservice.matrix.setup_client import SetupClient
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.settings import Settings
from lycatra_appservice.setup.answers import SetupError

Progress: TypeAlias = Callable[[str, int], None]  # what is waited for, seconds so far

_PAUSE_SECONDS: Final = 1.0
_STATES: Final[Mapping[Echo, str]] = {
    Echo.UNKNOWN_TOKEN: "waiting for Synapse to be restarted with the registration",
    Echo.NO_HOMESERVER: "Synapse does not answer; it may be starting",
}


class Waiter:
    """Knocks until the homeserver's first ping comes back. Owns no session."""

    def __init__(self, session: aiohttp.ClientSession, settings: Settings) -> None:
        self._session = session
        self._settings = settings
        self._client = SetupClient(session, settings.homeserver.url, settings.appservice.as_token)

    async def is_known(self) -> bool:
        """Whether Synapse has this registration already, and nothing has to be told to it."""
        result = await ping(self._client, self._settings.appservice.id)
        return result.echo not in (Echo.UNKNOWN_TOKEN, Echo.NO_HOMESERVER)

    async def wait(self, patience: timedelta, progress: Progress) -> Ping:
        """Ping until one comes back or `patience` ends; the last result.

        Answers the homeserver itself unless the service does. Raises PortError, and SetupError
        when another program has the port.
        """
        async with AsyncExitStack() as stack:
            await self._answer_pings(stack)
            began = monotonic()
            while True:
                result = await ping(self._client, self._settings.appservice.id)
                waited = monotonic() - began
                if result.echo is Echo.CAME_BACK or waited > patience.total_seconds():
                    return result
                progress(self._state(result), round(waited))
                await asyncio.sleep(_PAUSE_SECONDS)

    async def findings(self, users: VirtualUsers) -> Sequence[Finding]:
        """What else somebody should know now, good or bad."""
        seen = await look_at(self._session, self._settings.homeserver.url)
        return [
            judge_version(await which_software(self._session, seen)),
            judge_clock(seen),
            judge_encryption(seen, decrypts=self._settings.encryption.decrypts),
            await check_token(self._client, users),
            await check_namespace(self._client, users),
            *await check_accounts(self._client, users),
        ]

    async def _answer_pings(self, stack: AsyncExitStack) -> None:
        appservice = self._settings.appservice
        match await who_listens(self._session, appservice):
            case Holder.NOBODY:
                await stack.enter_async_context(StandIn(appservice))
            case Holder.SERVICE:
                return
            case Holder.STALE_SERVICE | Holder.STRANGER:
                raise SetupError(
                    f"another program, or a Lycatra with other tokens, has port "
                    f"{appservice.listen.port}: stop it, or set another port in "
                    "appservice.listen.port and appservice.url, and run this again"
                )

    def _state(self, result: Ping) -> str:
        return _STATES.get(result.echo) or judge_ping(result, self._settings).what
