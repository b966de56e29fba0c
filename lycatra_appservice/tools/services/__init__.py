"""Whether the services are up, and restarting them."""

from lycatra_appservice.toolkit.base import Namespace
from lycatra_appservice.tools.services._settings import ServicesSettings

NAMESPACE = Namespace(
    name="services",
    display_name="Lycatra Services",
    summary="Whether the services are up, how long they take to answer, and restarting them.",
    settings=ServicesSettings,
)
