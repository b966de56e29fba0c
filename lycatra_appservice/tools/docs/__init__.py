"""What stands in documents: Lycatra's own, and folders of yours."""

from lycatra_appservice.toolkit.base import Namespace
from lycatra_appservice.tools.docs._settings import DocsSettings
from lycatra_appservice.tools.docs._shelf import shelf_of

NAMESPACE = Namespace(
    name="docs",
    display_name="Lycatra Docs",
    summary="What stands in the documents, those about this assistant among them.",
    settings=DocsSettings,
    library=shelf_of,
)
