"""`lycatra tool show`: one tool as people and models see it."""

import json
from argparse import Namespace
from collections.abc import Iterator

from lycatra_appservice.cli.command import (
    CommandError,
    read_installation,
)
from lycatra_appservice.cli.tool.words import arguments_of, effect, origin
from lycatra_appservice.toolkit.arguments import likely
from lycatra_appservice.toolkit.base import first_sentence
from lycatra_appservice.toolkit.lean import MOST_TOKENS, lean_schema, tokens_of
from lycatra_appservice.toolkit.own.found import FoundTools
from lycatra_appservice.toolkit.registry import AnyTool


def run(arguments: Namespace) -> int:
    """Do it; returns the exit code. Raises LycatraError."""
    found = read_installation(arguments, needs_tokens=False).tools
    tool = tool_called(arguments.name, found)
    seen = json.dumps(_as_seen_by_models(tool), indent=2, ensure_ascii=False)
    if arguments.json:
        print(seen)
        return 0
    for line in _lines(tool, found):
        print(line)
    print(f"\nAs a language model is sent it:\n{seen}")
    return 0


def tool_called(written: str, found: FoundTools) -> AnyTool:
    """The tool of this name, `weather/get_forecast` too. Raises CommandError."""
    name = written.rpartition("/")[2].replace("-", "_").replace(" ", "_")
    tool = found.registry.tool(name)
    if tool is not None:
        return tool
    disabled = next((each for each in found.problems if each.is_about(name)), None)
    if disabled is not None:
        raise CommandError(str(disabled))
    close = likely(name, [each.name for each in found.registry.tools])
    hint = f"did you mean {close}?" if close else "`lycatra tool list` shows them all"
    raise CommandError(f"there is no tool {written!r}; {hint}")


def _lines(tool: AnyTool, found: FoundTools) -> Iterator[str]:
    namespace = found.registry.namespace_of(tool.name)
    kept = f"; kept for {tool.cache_for.total_seconds():g} s" if tool.cache_for else ""
    yield f"{tool.name}: {tool.title}"
    yield f"  {namespace.display_name} ({namespace.name}), {origin(found, tool)}"
    yield (
        f"  {effect(tool)}; for {tool.level.name.lower()}s and above; "
        f"{tool.timeout.total_seconds():g} s at most{kept}"
    )
    tokens = tokens_of(tool.name, tool.summary, tool.schema())
    yield f"  about {tokens} tokens of every prompt (`lycatra tool lint` allows {MOST_TOKENS})"
    yield ""
    yield "As people see it:"
    yield f"  !{tool.example}  {first_sentence(tool.summary)}"
    for name, said in arguments_of(tool):
        yield f"    {name}  {said}"


def _as_seen_by_models(tool: AnyTool) -> dict[str, object]:
    return {
        "name": tool.name,
        "description": tool.summary,
        "parameters": lean_schema(tool.schema()),
    }
