"""How the stand-in model chooses from a list of names with a line about each; pure."""

import re
from collections.abc import Mapping, Sequence

from lycatra_appservice.demo.offline_rules import Offered, ToolCall, score
from lycatra_appservice.demo.offline_words import asks_for_abilities
from lycatra_appservice.model import JSON

_PREFIX = "choose_"
_ENTRY = re.compile(r"^- ([\w-]+)(?:: (.*))?$", re.MULTILINE)
_LIKELY = 1.0  # less than for a call: what is chosen in vain costs nothing but room
_MOST = 3
_ABILITIES = re.compile(r"\b(?:can do|may do|help)\b", re.IGNORECASE)


def without_choosers(tools: Sequence[Offered]) -> list[Offered]:
    """The tools that do something."""
    return [tool for tool in tools if not tool.name.startswith(_PREFIX)]


def choice(
    question: str, tools: Sequence[Offered], messages: Sequence[Mapping[str, JSON]]
) -> ToolCall | None:
    """A call that chooses, where that is all that can be called."""
    if len(tools) != 1 or without_choosers(tools):
        return None
    rules = next((str(each.get("content")) for each in messages if each["role"] == "system"), "")
    entries = [Offered(name=name, description=words) for name, words in _ENTRY.findall(rules)]
    if not entries:
        return None
    return ToolCall(name=tools[0].name, arguments={"names": _likely(question, entries)})


def _likely(question: str, entries: Sequence[Offered]) -> list[JSON]:
    scores = {each.name: _score(question, each, entries) for each in entries}
    ranked = sorted(scores, key=lambda name: -scores[name])
    return [name for name in ranked if scores[name] >= _LIKELY][:_MOST]


def _score(question: str, entry: Offered, entries: Sequence[Offered]) -> float:
    if asks_for_abilities(question) and _ABILITIES.search(f"{entry.name} {entry.description}"):
        return _LIKELY
    return score(question, entry, entries)
