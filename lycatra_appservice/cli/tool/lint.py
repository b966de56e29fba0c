"""`lycatra tool lint`: what keeps tools from being used, before they are installed."""

import os
import sys
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

from lycatra_appservice.cli.command import (
    CommandError,
    config_path,
)
from lycatra_appservice.settings_file import load_own_tools
from lycatra_appservice.toolkit.lean import weight_problem
from lycatra_appservice.toolkit.own.found import FoundTools, Problem
from lycatra_appservice.toolkit.own.search import CONFIGURED, find_tools, look_into


def run(arguments: Namespace) -> int:
    """Do it; returns the exit code. Raises LycatraError."""
    problems: list[Problem] = []
    fine = 0
    for found, below in _looked_at(arguments):
        problems += [each for each in found.problems if _concerns(each, below)]
        usable = [tool for tool in found.origins if _is_below(found, tool, below)]
        heavy = [problem for tool in usable if (problem := _too_heavy(found, tool))]
        problems += heavy
        fine += len(usable) - len(heavy)
    for problem in problems:
        print(f"{problem.where}: {problem.reason}", file=sys.stderr)
    print(f"{_count(fine, 'tool')} fine, {_count(len(problems), 'problem')}")
    return 1 if problems else 0


def _looked_at(arguments: Namespace) -> Iterator[tuple[FoundTools, Path | None]]:
    """Each search, and the part of its folder that was asked for."""
    if not arguments.paths:
        places = load_own_tools(config_path(arguments), os.environ)
        if not places.paths and not places.http_json:
            raise CommandError(
                "there is nothing to look at: name a folder, or write it into own_tools.paths"
            )
        yield find_tools(places), None
    for path in arguments.paths:
        if not path.exists():
            raise CommandError(f"{path} does not exist")
        folder = path.absolute()
        if path.suffix == ".py":
            yield look_into(folder.parent.parent), folder
        elif (path / "__init__.py").exists():
            yield look_into(folder.parent), folder
        else:
            yield look_into(folder), None


def _concerns(problem: Problem, below: Path | None) -> bool:
    where = Path(problem.where)
    if below is None or problem.namespace is None:
        return True
    # What is wrong with a namespace concerns each of its tools.
    return where.is_relative_to(below) or below.is_relative_to(where)


def _too_heavy(found: FoundTools, name: str) -> Problem | None:
    """What is wrong with a tool that works, but costs every prompt too much."""
    tool = found.registry.tool(name)
    reason = weight_problem(tool.name, tool.summary, tool.schema()) if tool else None
    if reason is None:
        return None
    namespace = found.registry.namespace_of(name).name
    return Problem(where=str(_file_of(found, name)), reason=reason, namespace=namespace)


def _is_below(found: FoundTools, tool: str, below: Path | None) -> bool:
    return below is None or _file_of(found, tool).is_relative_to(below)


def _file_of(found: FoundTools, tool: str) -> Path:
    if found.origins[tool] == CONFIGURED:
        return Path(CONFIGURED)
    return Path(found.origins[tool]) / found.registry.home_of(tool).name / f"{tool}.py"


def _count(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"
