"""The services that the configuration names, for questions about one of them."""

from collections.abc import Sequence

from lycatra_appservice.tools.services._settings import ServicesSettings


def watched(settings: ServicesSettings) -> Sequence[str]:
    """Their names, in the order of the configuration."""
    return [check.name for check in settings.checks]
