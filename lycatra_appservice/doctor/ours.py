"""Which users this installation has, by its configuration and its tools."""

from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.settings import WrittenSettings
from lycatra_appservice.toolkit.own.found import FoundTools
from lycatra_appservice.toolkit.own.search import find_tools


def our_users(settings: WrittenSettings) -> VirtualUsers:
    """The same users that the service would have."""
    return users_with(settings, find_tools(settings.own_tools, settings.mcp_servers))


def users_with(settings: WrittenSettings, tools: FoundTools) -> VirtualUsers:
    """The same, for whoever has looked for the tools already."""
    return VirtualUsers(
        server_name=settings.homeserver.server_name,
        localpart=settings.bot.localpart,
        display_name=settings.bot.display_name,
        namespaces=tools.registry.namespaces,
    )
