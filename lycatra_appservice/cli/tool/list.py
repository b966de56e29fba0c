"""`lycatra tool list`: every tool of the installation, and what does not work."""

from argparse import Namespace
from collections.abc import Iterator

from lycatra_appservice.cli.command import read_installation
from lycatra_appservice.cli.tool.words import SHIPS, effect
from lycatra_appservice.toolkit.base import first_sentence
from lycatra_appservice.toolkit.own.found import FoundTools


def run(arguments: Namespace) -> int:
    """Do it; returns the exit code. Raises LycatraError."""
    for line in _lines(read_installation(arguments, needs_tokens=False).tools):
        print(line)
    return 0


def _lines(found: FoundTools) -> Iterator[str]:
    names = [*(t.name for t in found.registry.tools), *(p.name for p in found.registry.prompts)]
    width = max(map(len, names), default=0)
    for namespace in found.registry.namespaces:
        tools = found.registry.tools_of(namespace.name)
        yield f"{namespace.name} ({found.namespace_origins.get(namespace.name, SHIPS)})"
        for tool in tools:
            rights = f"{effect(tool)}, {tool.level.name.lower()}"
            yield f"  {tool.name:<{width}}  {rights:<17}  {first_sentence(tool.summary)}"
        for prompt in found.registry.prompts_of(namespace.name):
            yield f"  {prompt.name:<{width}}  {'question':<17}  {first_sentence(prompt.summary)}"
    for name, home in sorted(found.idle.items()):
        yield f"without work: {name}: `tools.{home}` in the configuration gives it nothing to do"
    for problem in found.problems:
        yield f"disabled: {problem.disabled}: {problem.where}: {problem.reason}"
