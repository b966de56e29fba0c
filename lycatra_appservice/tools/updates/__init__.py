"""What was released and deployed."""

from lycatra_appservice.toolkit.base import Namespace
from lycatra_appservice.tools.updates._hooked import github, updates
from lycatra_appservice.tools.updates._settings import UpdatesSettings
from lycatra_appservice.tools.updates._watching.looking import WATCHER

NAMESPACE = Namespace(
    name="updates",
    display_name="Lycatra Updates",
    summary="What was released, changed and deployed, and when.",
    settings=UpdatesSettings,
    watchers=(WATCHER,),
    hooks=(github.HOOK, updates.HOOK),
)
