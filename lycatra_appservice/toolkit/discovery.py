"""Finds the tools by looking at the folders: a folder is a namespace, a file is a tool."""

import pkgutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

from lycatra_appservice.errors import LycatraError
from lycatra_appservice.toolkit.base import Namespace, Tool
from lycatra_appservice.toolkit.naming import (
    namespace_problem,
    prompt_problems,
    tool_problems,
)
from lycatra_appservice.toolkit.prompts import PromptTemplate, prompt_in
from lycatra_appservice.toolkit.registry import AnyTool, Registry

BUILT_IN = "lycatra_appservice.tools"


class DiscoveryError(LycatraError):
    """The tool folders have mistakes; `problems` holds all of them, each naming its file."""

    said = "The tools of this installation have mistakes; it cannot start with them."

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


def discover(package: str = BUILT_IN) -> Registry:
    """Import every namespace and tool below `package`; a leading underscore marks a helper.

    Raises DiscoveryError with all mistakes at once. What importing a file raises goes through.
    """
    found = _Search()
    root = import_module(package)
    found.problems += _folders_python_overlooks(root)
    for module in _children(root):
        found.look_into(module)
    if found.problems:
        raise DiscoveryError(found.problems)
    return Registry(list(found.namespaces), found.tools, found.prompts)


class _Search:
    """Collects what was found and what was wrong, so that all mistakes are told together."""

    def __init__(self) -> None:
        self.namespaces: list[Namespace] = []
        self.tools: dict[str, list[AnyTool]] = {}
        self.prompts: dict[str, list[PromptTemplate]] = {}
        self.problems: list[str] = []
        self._file_of: dict[str, str] = {}

    def look_into(self, module: ModuleType) -> None:
        namespace = getattr(module, "NAMESPACE", None)
        problem = _problem(module, namespace)
        if problem or not isinstance(namespace, Namespace):
            self.problems.append(f"{_file(module)}: {problem}")
            return
        self.namespaces.append(namespace)
        self.tools[namespace.name], self.prompts[namespace.name] = [], []
        children = list(_children(module))
        for child in children:
            self._add(child, namespace)
        if not children:
            self.problems.append(f"{_file(module)}: the namespace has no tool")

    def _add(self, module: ModuleType, namespace: Namespace) -> None:
        prompt = prompt_in(module)
        if prompt is None:
            self._add_tool(module, namespace)
            return
        faults = [*prompt_problems(prompt, _stem(module)), *self._taken(prompt.name)]
        self.problems += [f"{_file(module)}: {problem}" for problem in faults]
        self._file_of[prompt.name] = _file(module)
        self.prompts[namespace.name].append(prompt)

    def _add_tool(self, module: ModuleType, namespace: Namespace) -> None:
        tool = getattr(module, "TOOL", None)
        if not isinstance(tool, Tool):
            self.problems.append(
                f"{_file(module)}: has no TOOL = Tool(…) and no PROMPT = PromptTemplate(…); "
                "a helper's file name begins with an underscore"
            )
            return
        self.problems += [f"{_file(module)}: {problem}" for problem in self._faults(tool, module)]
        self._file_of[tool.name] = _file(module)
        self.tools[namespace.name].append(tool)

    def _faults(self, tool: AnyTool, module: ModuleType) -> Iterator[str]:
        yield from tool_problems(tool, _stem(module))
        yield from self._taken(tool.name)

    def _taken(self, name: str) -> Iterator[str]:
        if name in self._file_of:
            yield f"the name {name!r} is taken by {self._file_of[name]}"


def _problem(module: ModuleType, namespace: object) -> str | None:
    if not hasattr(module, "__path__"):
        return "a tool needs a folder, which is its namespace"
    return namespace_problem(namespace, module.__name__.rpartition(".")[2])


def _children(package: ModuleType) -> Iterator[ModuleType]:
    for info in sorted(pkgutil.iter_modules(package.__path__), key=lambda each: each.name):
        if not info.name.startswith("_"):
            yield import_module(f"{package.__name__}.{info.name}")


def _folders_python_overlooks(root: ModuleType) -> list[str]:
    return [
        f"{folder}: has no __init__.py with a NAMESPACE"
        for path in root.__path__
        for folder in sorted(Path(path).glob("[a-z]*"))
        if any(folder.glob("*.py")) and not (folder / "__init__.py").exists()
    ]


def _stem(module: ModuleType) -> str:
    return module.__name__.rpartition(".")[2]


def _file(module: ModuleType) -> str:
    return str(Path(module.__file__ or module.__name__))
