"""The hooks of all namespaces that have something to do, by the name in their address."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lycatra_appservice.foreign_code import foreign_code
from lycatra_appservice.toolkit.base import Accepted, Hook, HookRequest, Namespace


@dataclass(frozen=True, slots=True)
class OpenHook:
    """A hook with the settings that it judges by."""

    hook: Hook
    settings: object

    def accept(self, request: HookRequest, now: float) -> Accepted | None:
        """What is worth being kept. Raises HookRefusedError, and ForeignCodeError for its bugs."""
        module = sys.modules.get(getattr(self.hook.accept, "__module__", ""))
        here = Path(getattr(module, "__file__", None) or "")
        with foreign_code(here, here.parent):
            return self.hook.accept(request, self.settings, now)


def open_hooks(
    namespaces: Sequence[Namespace], settings: Mapping[str, object]
) -> Mapping[str, OpenHook]:
    """Those that have work; `settings` has the checked section of every namespace.

    A name belongs to the namespace that comes first, which is also asked when the turn runs.
    """
    first: dict[str, OpenHook] = {}
    for home in namespaces:
        for hook in home.hooks:
            first.setdefault(hook.name, OpenHook(hook, settings[home.name]))
    return {
        name: each
        for name, each in first.items()
        if each.hook.has_work is None or each.hook.has_work(each.settings)
    }
