"""Which users this installation has, by its configuration and its tools."""

from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.settings import WrittenSettings
from lycatra_appservice.toolkit.discovery import discover


def our_users(settings: WrittenSettings) -> VirtualUsers:
    """The same users that the service would have. Raises DiscoveryError for broken tools."""
    return VirtualUsers(
        server_name=settings.homeserver.server_name,
        localpart=settings.bot.localpart,
        display_name=settings.bot.display_name,
        namespaces=discover().namespaces,
    )
