"""What services have written into their logs."""

from lycatra_appservice.toolkit.base import Namespace
from lycatra_appservice.tools.logs._settings import LogsSettings

NAMESPACE = Namespace(
    name="logs",
    display_name="Lycatra Logs",
    summary="What services have written into their logs.",
    settings=LogsSettings,
)
