"""Which tools tell most to somebody who does not know them yet; pure."""

from typing import Final

from lycatra_appservice.toolkit.registry import AnyTool

_VERBS: Final = ("list", "get", "show", "search")  # what begins so tells most without arguments


def telling_rank(tool: AnyTool, namespace: str) -> tuple[int, bool, str]:
    """Lower is better: by its verb, then what is called like its namespace goes first."""
    verb, _, noun = tool.name.partition("_")
    by_verb = _VERBS.index(verb) if verb in _VERBS else len(_VERBS)
    return by_verb, noun != namespace, tool.name
