"""What was released and deployed."""

from lycatra_appservice.toolkit.base import Namespace
from lycatra_appservice.tools.updates._settings import UpdatesSettings

NAMESPACE = Namespace(
    name="updates",
    display_name="Lycatra Updates",
    summary="What was released, changed and deployed, and when.",
    settings=UpdatesSettings,
)
