"""`lycatra tool new`: makes a tool that works, with a test that passes, to be changed."""

import os
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

from lycatra_appservice.cli.command import (
    CommandError,
    config_path,
)
from lycatra_appservice.cli.tool.templates import namespace_file, tests_file, tool_file
from lycatra_appservice.settings_file import load_own_tools
from lycatra_appservice.toolkit.discovery import discover
from lycatra_appservice.toolkit.naming import TESTS, namespace_name_problem, tool_name_problem
from lycatra_appservice.toolkit.own.search import find_tools

_FILE, _FOLDER = 0o644, 0o755  # what others may write to is not run


def run(arguments: Namespace) -> int:
    """Do it; returns the exit code. Raises LycatraError."""
    places = load_own_tools(config_path(arguments), os.environ)
    folder = arguments.folder or next(iter(places.paths), None)
    if folder is None:
        raise CommandError("where? Say --folder own-tools, or set own_tools.paths first")
    namespace, name = _names(arguments.name)
    known = find_tools(places)
    if known.registry.tool(name) is not None and not _is_in(folder, namespace, name):
        whose = known.origins.get(name, "Lycatra itself")
        raise CommandError(f"there is a tool {name!r} already, of {whose}")
    if namespace in {each.name for each in discover().namespaces}:
        raise CommandError(
            f"the namespace {namespace!r} is Lycatra's own: a tool of yours needs another one"
        )
    for path in _make(folder, namespace, name):
        print(f"{_near(path)} is written")
    is_known = folder.resolve() in [path.resolve() for path in places.paths]
    print(_what_next(folder, namespace, name, is_known=is_known))
    return 0


def _names(written: str) -> tuple[str, str]:
    """Namespace and tool. Raises CommandError."""
    namespace, slash, name = written.partition("/")
    if not slash or not name:
        raise CommandError(f"{written!r} should be like weather/get_forecast")
    problem = namespace_name_problem(namespace) or tool_name_problem(name)
    if problem:
        raise CommandError(problem)
    if "_" not in name:
        raise CommandError(f"{name!r} should be a verb and a noun, such as get_forecast")
    return namespace, name


def _is_in(folder: Path, namespace: str, name: str) -> bool:
    return (folder / namespace / f"{name}.py").exists()


def _make(folder: Path, namespace: str, name: str) -> Iterator[Path]:
    """Write what is missing. Raises CommandError when the tool is there."""
    tool = folder / namespace / f"{name}.py"
    if tool.exists():
        raise CommandError(f"{tool} exists already")
    files = {
        folder / namespace / "__init__.py": namespace_file(namespace),
        tool: tool_file(name),
        folder / TESTS / f"test_{name}.py": tests_file(namespace, name, str(_near(folder))),
    }
    for path, text in files.items():
        if not path.exists():
            _write(path, text)
            yield path


def _near(path: Path) -> Path:
    """The path as short as it can be typed here."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _write(path: Path, text: str) -> None:
    missing = [each for each in (path.parent, *path.parent.parents) if not each.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    for each in missing:
        each.chmod(_FOLDER)
    path.write_text(text, encoding="utf-8")
    path.chmod(_FILE)


def _what_next(folder: Path, namespace: str, name: str, *, is_known: bool) -> str:
    folder = _near(folder)
    steps = [
        f"python3 -m unittest discover -s {folder / TESTS}",
        f"lycatra tool lint {folder}",
    ]
    lines = ["", "It works as it is. Change it, and look whether it still does:", *steps]
    if not is_known:
        lines += ["", "Write the folder into config.yaml:", f"own_tools: {{paths: [{folder}]}}"]
    lines += ["", "Then try it, and restart Lycatra:", f"lycatra tool call {name} Alice"]
    return "\n".join(lines)
