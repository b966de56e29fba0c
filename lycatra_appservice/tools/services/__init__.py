"""Whether the services are up, and restarting them."""

from lycatra_appservice.toolkit.base import Namespace
from lycatra_appservice.tools.services._settings import ServicesSettings
from lycatra_appservice.tools.services._watching import WATCHER

NAMESPACE = Namespace(
    name="services",
    display_name="Lycatra Services",
    summary="Whether services are up, since when, their certificates, and restarting them.",
    settings=ServicesSettings,
    watchers=(WATCHER,),
)
