"""The one place that drives the SDK's per-request kernel (`mcp.server.runner`, mcp 2.3)."""

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from mcp.server.connection import Connection
from mcp.server.lowlevel.server import NotificationOptions, Server
from mcp.server.runner import ServerRunner, aclose_shielded
from mcp.shared.dispatcher import Outbound
from mcp_types.version import LATEST_HANDSHAKE_VERSION

from lycatra_appservice.mcp.channel import Channel
from lycatra_appservice.model import JSON

_CHANGES: Final = NotificationOptions(
    prompts_changed=True, resources_changed=True, tools_changed=True
)
AnyServer: TypeAlias = Server[Any]


class Kernel:
    """Runs requests of either era through the handlers of one server."""

    def __init__(self, server: AnyServer) -> None:
        self.server = server
        self._told = server.create_initialization_options(_CHANGES)

    async def request(
        self,
        connection: Connection,
        channel: Channel,
        method: str,
        params: Mapping[str, JSON] | None,
    ) -> dict[str, Any]:
        """What a request comes to. Raises what handlers raise."""
        runner = ServerRunner(self.server, connection, {}, init_options=self._told)
        try:
            return await runner.on_request(channel, method, params)
        finally:
            # Its shielded scope costs more than the rest of a quick call; nothing registers here.
            if connection.exit_stack._exit_callbacks:  # type: ignore[attr-defined]  # noqa: SLF001
                await aclose_shielded(connection)

    async def notify(
        self,
        connection: Connection,
        channel: Channel,
        method: str,
        params: Mapping[str, JSON] | None,
    ) -> None:
        """Tell the handlers something."""
        runner = ServerRunner(self.server, connection, {}, init_options=self._told)
        await runner.on_notify(channel, method, params)


def enveloped(
    version: str, client: JSON, capabilities: JSON, outbound: Outbound | None = None
) -> Connection:
    """A connection of which everything is known already; it lives for one request."""
    if outbound is None:
        return Connection.from_envelope(version, client, capabilities)
    return Connection.from_envelope(version, client, capabilities, outbound=outbound)


def greeting(outbound: Outbound) -> Connection:
    """A connection for `initialize`, which fills in what was agreed on."""
    return Connection.for_loop(outbound, protocol_version_hint=LATEST_HANDSHAKE_VERSION)
