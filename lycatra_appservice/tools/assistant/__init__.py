"""What the assistant tells about itself."""

from lycatra_appservice.toolkit.base import Namespace

NAMESPACE = Namespace(
    name="assistant",
    display_name="Lycatra Assistant",
    summary="What you can do here, and how to ask for it.",
)
