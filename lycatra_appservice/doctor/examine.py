"""The order of an examination, and what still makes sense after something failed."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import Final, TypeAlias

import aiohttp

from lycatra_appservice.agent.chat_completions import ChatCompletionsBackend
from lycatra_appservice.doctor.accounts import check_accounts
from lycatra_appservice.doctor.address import NoHomeserverError, look_at
from lycatra_appservice.doctor.database import check_database
from lycatra_appservice.doctor.findings import Finding, Level, error, ok, skipped
from lycatra_appservice.doctor.homeserver import judge_address, judge_clock, judge_encryption
from lycatra_appservice.doctor.introduction import check_namespace, check_token
from lycatra_appservice.doctor.mcp_servers import check_mcp_servers
from lycatra_appservice.doctor.model import ModelCheck, no_model
from lycatra_appservice.doctor.ping import Echo, Ping, judge_ping, ping
from lycatra_appservice.doctor.port import Holder, who_listens
from lycatra_appservice.doctor.registration_file import check_registration
from lycatra_appservice.doctor.stand_in import PortError, StandIn
from lycatra_appservice.doctor.synapse_version import judge_version, which_software
from lycatra_appservice.doctor.tools import check_tool_databases
from lycatra_appservice.errors import LycatraError
from lycatra_appservice.matrix.session import homeserver_session
from lycatra_appservice.matrix.setup_client import SetupClient
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.settings import Settings

Report: TypeAlias = Callable[[Finding], None]

_PORT: Final = "listener"
_OFFLINE: Final = "not asked (--offline)"
_PING_TRIES: Final = 3
_PING_PAUSE_SECONDS: Final = 1.0
# Synapse says so, too, when a retry of its own was under way.
_DOUBTFUL: Final = frozenset({Echo.NOT_REACHED, Echo.ODD_ANSWER, Echo.FAILED})


class Examination:
    """Asks everything once; `report` gets each finding as soon as it is there."""

    def __init__(self, settings: Settings, users: VirtualUsers, report: Report) -> None:
        self._settings = settings
        self._users = users
        self._report = report

    async def run(self, *, offline: bool) -> None:
        """Ask in order; `offline` asks neither homeserver nor model, nor a Postgres."""
        self._report(check_registration(self._settings))
        if offline and self._settings.database.sqlite_file is None:
            self._report(skipped("database.reachable", _OFFLINE))
        else:
            for finding in await check_database(self._settings.database):
                self._report(finding)
        for finding in await self._tool_databases(offline=offline):
            self._report(finding)
        if offline:
            self._report(skipped("homeserver.address", _OFFLINE))
            self._report(skipped("model.reachable", _OFFLINE))
            return
        for finding in await check_mcp_servers(self._settings.mcp_servers):
            self._report(finding)
        await self._examine_homeserver()
        await self._examine_models()

    async def _tool_databases(self, *, offline: bool) -> Sequence[Finding]:
        asked = {
            name: section
            for name, section in self._settings.databases.items()
            if not offline or section.sqlite_file is not None
        }
        left_out = sorted(self._settings.databases.keys() - asked.keys())
        found = await check_tool_databases(asked)
        return [*found, *(skipped(f"databases.{name}", _OFFLINE) for name in left_out)]

    async def _examine_homeserver(self) -> None:
        homeserver = self._settings.homeserver
        async with AsyncExitStack() as stack:
            try:
                session = await stack.enter_async_context(homeserver_session(homeserver.ca_file))
                seen = await look_at(session, homeserver.url)
            except (NoHomeserverError, OSError) as failed:
                self._report(_not_there(failed))
                self._report(skipped("introduction", "not asked: the homeserver is not there"))
                return
            self._report(judge_address(seen))
            self._report(judge_version(await which_software(session, seen)))
            self._report(judge_clock(seen))
            self._report(judge_encryption(seen, decrypts=self._settings.encryption.decrypts))
            await self._examine_introduction(session, stack)

    async def _examine_introduction(
        self, session: aiohttp.ClientSession, stack: AsyncExitStack
    ) -> None:
        appservice = self._settings.appservice
        client = SetupClient(session, self._settings.homeserver.url, appservice.as_token)
        try:
            token = await check_token(client, self._users)
            self._report(token)
            self._report(await self._listen(session, stack))
            self._report(judge_ping(await _ping(client, appservice.id), self._settings))
            if token.level is not Level.OK:
                self._report(skipped("introduction.namespace", "not asked without a right token"))
                return
            self._report(await check_namespace(client, self._users))
            for finding in await check_accounts(client, self._users):
                self._report(finding)
        except LycatraError as failed:
            self._report(_interrupted(failed))

    async def _listen(self, session: aiohttp.ClientSession, stack: AsyncExitStack) -> Finding:
        """See who is on our port, and stand in for the service if it is nobody."""
        appservice = self._settings.appservice
        holder = await who_listens(session, appservice)
        if holder is not Holder.NOBODY:
            return _held(holder, appservice.listen.port)
        try:
            await stack.enter_async_context(StandIn(appservice))
        except PortError as refused:
            return error(
                _PORT,
                str(refused),
                why="Lycatra cannot start",
                fix="appservice.listen: an address of this machine and a free port above 1023",
            )
        return ok(_PORT, f"port {appservice.listen.port} is free; Lycatra does not run here now")

    async def _examine_models(self) -> None:
        backends = self._settings.backends
        if not backends:
            self._report(no_model())
        for name, settings in backends.items():
            backend = ChatCompletionsBackend(settings)
            key = "model" if name == "model" else f"models.{name}"
            try:
                for finding in await ModelCheck(key, settings, backend).run():
                    self._report(finding)
            finally:
                await backend.aclose()


def _not_there(failed: NoHomeserverError | OSError) -> Finding:
    if isinstance(failed, NoHomeserverError):
        return judge_address(failed)
    return error(
        "homeserver.address",
        f"homeserver.ca_file cannot be used: {failed.strerror or failed}",
        why="Synapse's certificate cannot be checked without it",
        fix="homeserver.ca_file: a file with certificates in PEM format",
    )


def _interrupted(failed: LycatraError) -> Finding:
    return error(
        "introduction",
        f"the homeserver did not do what it was asked: {failed}",
        why="nothing is known about the rest",
        fix="look into Synapse's log, then ask again",
    )


def _held(holder: Holder, port: int) -> Finding:
    if holder is Holder.SERVICE:
        return ok(_PORT, f"Lycatra runs on port {port}")
    if holder is Holder.STALE_SERVICE:
        return error(
            _PORT,
            f"what runs on port {port} has another hs_token than the registration",
            why="it was started before the tokens changed, or it is another application service",
            fix="restart Lycatra, or another port in appservice.listen.port and appservice.url",
        )
    return error(
        _PORT,
        f"another program listens on port {port}",
        why="Lycatra cannot start beside it",
        fix="another port in appservice.listen.port and appservice.url; "
        "then `lycatra registration`, and restart Synapse",
    )


async def _ping(client: SetupClient, appservice_id: str) -> Ping:
    result = await ping(client, appservice_id)
    for _ in range(_PING_TRIES - 1):
        if result.echo not in _DOUBTFUL:
            break
        await asyncio.sleep(_PING_PAUSE_SECONDS)
        result = await ping(client, appservice_id)
    return result
