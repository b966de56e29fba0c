"""Wiring of `/mcp`: who may come, what is offered, and how replicas share it."""

import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from aiohttp import web
from mcp.server.subscriptions import ListenHandler, ResourceUpdated, ToolsListChanged
from mcp_types.jsonrpc import INVALID_REQUEST

from lycatra_appservice.app.chat import Chat
from lycatra_appservice.app.parts import Parts
from lycatra_appservice.chat.news.publishing import OnNews
from lycatra_appservice.matrix.session import homeserver_session
from lycatra_appservice.mcp.addresses import Addresses
from lycatra_appservice.mcp.bearer import Bearer
from lycatra_appservice.mcp.calls import CALL_CHANNEL, CallStore
from lycatra_appservice.mcp.consent import Consent
from lycatra_appservice.mcp.documents import Documents
from lycatra_appservice.mcp.endings import Endings
from lycatra_appservice.mcp.here import Here
from lycatra_appservice.mcp.identity import GuestIdentities, TokenIdentities
from lycatra_appservice.mcp.ladder import ApprovalLadder
from lycatra_appservice.mcp.openid import ForeignHomeservers, OpenIdPeople, OwnHomeserver
from lycatra_appservice.mcp.pace import Pace
from lycatra_appservice.mcp.prompts import PromptDesk
from lycatra_appservice.mcp.resources import ResourceDesk
from lycatra_appservice.mcp.server import listen_handler, make_server
from lycatra_appservice.mcp.sessions import SessionIds
from lycatra_appservice.mcp.shared_hub import HUB_CHANNEL, SharedHub
from lycatra_appservice.mcp.token_exchange import TokenExchange
from lycatra_appservice.mcp.tokens import ENDED_CHANNEL, TokenStore
from lycatra_appservice.mcp.tools import ToolDesk
from lycatra_appservice.mcp.transport import McpTransport
from lycatra_appservice.settings_mcp import signing_keys
from lycatra_appservice.toolkit.guard.allowance import Allowance
from lycatra_appservice.toolkit.guard.outbound import Outbound
from lycatra_appservice.turns.approvals import Approvals

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class McpGround:
    """What is there before the chat, which tells it what is new."""

    here: Here
    hub: SharedHub
    on_news: OnNews


@dataclass(frozen=True, slots=True, kw_only=True)
class McpFace:
    """The running endpoint."""

    ground: McpGround
    transport: McpTransport
    listening: ListenHandler
    endings: Endings
    exchange: TokenExchange | None

    def routes(self) -> Sequence[web.RouteDef]:
        """For the main listener."""
        return [*self.transport.routes(), *(self.exchange.routes() if self.exchange else ())]

    async def drain(self, span: timedelta) -> None:
        """End the streams, let no call wait for people any longer, and the others end."""
        self.endings.hurry()
        self.listening.close()
        await self.transport.drain(span)


def open_mcp(parts: Parts) -> McpGround:
    """The registers of this replica, and what it shares with the others."""
    here = Here()
    hub = SharedHub(parts.database, here)
    parts.opened.signals.listen(HUB_CHANNEL, hub.heard)
    # Each replica hears by itself of the tools of other servers.
    parts.registry.follow(lambda: hub.publish_here(ToolsListChanged()))

    async def on_news(namespace: str) -> None:
        for tool in parts.registry.tools_of(namespace):
            if tool.resource is not None:
                await hub.publish(ResourceUpdated(uri=tool.resource.uri))

    return McpGround(here=here, hub=hub, on_news=on_news)


def build_mcp(
    parts: Parts,
    chat: Chat,
    ground: McpGround,
) -> McpFace:
    """Put it together."""
    keys = signing_keys(parts.settings.mcp, parts.settings.appservice.as_token)
    settings, gate = parts.settings, chat.ground.gate
    calls = CallStore(parts.database)
    endings = Endings(calls)
    parts.opened.signals.listen(CALL_CHANNEL, endings.heard)
    approving = chat.approving
    consent = Consent(
        approving.electorate,
        approving.votes,
        approving.judge,
        by_clients=settings.approvals.mcp == "client",
    )
    ladder = ApprovalLadder(calls, endings, Approvals(parts.database), consent, settings.mcp.wait)
    documents = Documents(parts.registry, settings.tool_settings, settings.base_folder)
    listening = listen_handler(ground.hub)
    server = make_server(
        ToolDesk(gate, parts.registry, documents, ladder),
        ResourceDesk(gate, documents, ground.hub),
        PromptDesk(gate, parts.registry, settings.tool_settings, documents),
        listening,
        keys,
        settings.bot.display_name,
    )
    addresses = Addresses(_hosts(parts), settings.mcp.origins)
    transport = McpTransport(
        server,
        identify=_identify(parts, chat, ground.here),
        addresses=addresses,
        sessions=SessionIds(keys, time.time),
        here=ground.here,
        hub=ground.hub,
    )
    return McpFace(
        ground=ground,
        transport=transport,
        listening=listening,
        endings=endings,
        exchange=_exchange(parts, chat, addresses),
    )


def _exchange(parts: Parts, chat: Chat, addresses: Addresses) -> TokenExchange | None:
    settings = parts.settings
    own, mcp = settings.homeserver, settings.mcp
    servers = (own.server_name,) if mcp.openid_servers is None else mcp.openid_servers
    if mcp.auth == "none" or not servers:
        return None
    people = OpenIdPeople(
        own_server=own.server_name,
        servers=frozenset(servers),
        own=OwnHomeserver(own.url, lambda: homeserver_session(own.ca_file)),
        foreign=ForeignHomeservers(Outbound(Allowance(settings.tools_http.allow), log=logger)),
    )
    return TokenExchange(
        people,
        TokenStore(parts.database),
        chat.ground.rights,
        addresses=addresses,
        pace=Pace(mcp.calls_per_minute),
    )


def _identify(parts: Parts, chat: Chat, here: Here) -> Callable[[web.Request], Awaitable[Bearer]]:
    mcp = parts.settings.mcp
    pace = Pace(mcp.calls_per_minute)
    if mcp.auth == "none":
        logger.warning("mcp_without_tokens", extra={"networks": [*map(str, mcp.networks)]})
        return GuestIdentities(parts.users.main, mcp.networks, pace).of
    identities = TokenIdentities(
        TokenStore(parts.database), chat.ground.rooms, chat.ground.rights, pace
    )

    def ended(token_id: str) -> None:
        identities.heard(token_id)
        here.cut_token(token_id, INVALID_REQUEST, "This token was ended.")

    parts.opened.signals.listen(ENDED_CHANNEL, ended)
    return identities.of


def _hosts(parts: Parts) -> Sequence[str]:
    """By which names it may be called: those of the configuration, and Synapse's name for us."""
    settings = parts.settings
    urls = [settings.mcp.public_url, settings.appservice.url]
    named = [urlsplit(url).hostname for url in urls if url]
    return [*settings.mcp.hosts, *(name for name in named if name)]
