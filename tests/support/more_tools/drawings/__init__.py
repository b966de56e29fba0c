"""Pictures and long lists, for the tests of what goes out as a file."""

from lycatra_appservice.toolkit.base import Namespace

NAMESPACE = Namespace(
    name="drawings", display_name="Lycatra Drawings", summary="Draws charts and long lists."
)
