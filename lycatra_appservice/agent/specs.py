"""Tools as a model is sent them: lean, made once, and cut down where even that is too much."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from lycatra_appservice.agent.backend import ToolSpec
from lycatra_appservice.agent.ports import OfferedTool
from lycatra_appservice.toolkit.lean import lean_schema

# What stands around a tool in a request, such as `{"type": "function", "function": …}`.
_AROUND: Final = 80
_ENOUGH_WORDS: Final = 80  # of a description, to know when to use a tool
_BOUNDS: Final = frozenset({"type", "enum", "items", "properties", "required", "maxLength"})


class Specs:
    """Makes each tool's spec once, as long as the tool is the same. Owned by the process."""

    def __init__(self) -> None:
        self._made: dict[str, tuple[str, Mapping[str, Any], ToolSpec]] = {}

    def of(self, tool: OfferedTool) -> ToolSpec:
        """The spec of a tool."""
        schema = tool.schema()
        summary, seen, spec = self._made.get(tool.name, ("", None, None))
        if spec is not None and seen is schema and summary == tool.summary:
            return spec
        spec = ToolSpec(name=tool.name, description=tool.summary, schema=lean_schema(schema))
        self._made[tool.name] = (tool.summary, schema, spec)
        return spec


def chars_of_tools(tools: Sequence[ToolSpec]) -> int:
    """The length of the tools in a request, in characters."""
    return sum(map(chars_of_tool, tools))


def chars_of_tool(tool: ToolSpec) -> int:
    """The length of one tool in a request, in characters."""
    return _AROUND + len(tool.name) + len(tool.description) + len(json.dumps(tool.schema))


def slimmed(tool: ToolSpec, room_chars: int) -> ToolSpec:
    """The tool with as much of its schema as there is room for, its arguments' names at least.

    What is left out is not asked for by the model, or asked for wrongly and then explained: the
    tool itself takes the same arguments as ever.
    """
    slim = tool
    for slim in _ever_slimmer(tool):
        if chars_of_tool(slim) <= room_chars:
            break
    return slim


def _ever_slimmer(tool: ToolSpec) -> Iterator[ToolSpec]:
    yield tool
    words = tool.description[:_ENOUGH_WORDS].rpartition(" ")[0] or tool.description
    short = words if len(tool.description) > _ENOUGH_WORDS else tool.description
    without_words = _kept_everywhere(tool.schema, lambda key: key in _BOUNDS)
    yield ToolSpec(name=tool.name, description=tool.description, schema=without_words)
    yield ToolSpec(name=tool.name, description=short, schema=without_words)
    required = without_words.get("required", [])
    needed = {
        name: {"type": each.get("type", "string")}
        for name, each in without_words.get("properties", {}).items()
        if name in required
    }
    least = {"type": "object", "properties": needed, "required": required}
    yield ToolSpec(name=tool.name, description=short, schema=least)


def _kept_everywhere(schema: Mapping[str, Any], keeps: Callable[[str], bool]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for key, value in schema.items():
        if not keeps(key):
            continue
        if key == "properties" and isinstance(value, dict):
            kept[key] = {
                name: _kept_everywhere(each, keeps) if isinstance(each, dict) else each
                for name, each in value.items()
            }
        elif isinstance(value, dict):
            kept[key] = _kept_everywhere(value, keeps)
        else:
            kept[key] = value
    return kept
