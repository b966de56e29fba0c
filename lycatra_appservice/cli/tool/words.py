"""How tools are shown in a terminal."""

from collections.abc import Iterator

from lycatra_appservice.toolkit.arguments import expected
from lycatra_appservice.toolkit.base import Effect
from lycatra_appservice.toolkit.own.found import FoundTools
from lycatra_appservice.toolkit.registry import AnyTool
from lycatra_appservice.words.catalogue import in_english

SHIPS = "ships with Lycatra"


def origin(found: FoundTools, tool: AnyTool) -> str:
    """Where a tool comes from."""
    return found.origins.get(tool.name, SHIPS)


def effect(tool: AnyTool) -> str:
    """What it does to the world, in a word."""
    return "changes" if tool.effect is Effect.CHANGE else "reads"


def arguments_of(tool: AnyTool) -> Iterator[tuple[str, str]]:
    """Each argument with what it takes and what it is for, in a sentence."""
    schema = tool.schema()
    for name, field in schema.get("properties", {}).items():
        takes = in_english(expected(field))
        if "default" in field:
            takes += f", {field['default']!r} without it"
        elif name not in schema.get("required", ()):
            takes += ", may be left out"
        described = str(field.get("description", ""))
        yield name, takes if takes.startswith("as ") else f"{described.rstrip('.')}: {takes}"
