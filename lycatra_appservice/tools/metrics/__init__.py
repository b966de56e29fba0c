"""Figures that a monitoring system keeps, by names that the configuration gives them."""

from lycatra_appservice.toolkit.base import Namespace
from lycatra_appservice.tools.metrics._settings import MetricsSettings

NAMESPACE = Namespace(
    name="metrics",
    display_name="Lycatra Metrics",
    summary="Figures of our monitoring, as they are now and as they went, with a picture.",
    settings=MetricsSettings,
)
