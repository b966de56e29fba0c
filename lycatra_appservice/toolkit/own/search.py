"""Looks through all sources of tools; whatever is wrong with one disables it and nothing else."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Final, Protocol

from lycatra_appservice.errors import LycatraError
from lycatra_appservice.foreign_code import foreign_code
from lycatra_appservice.settings_http_json import HttpJsonTool
from lycatra_appservice.settings_mcp_servers import McpServer
from lycatra_appservice.toolkit.base import Namespace
from lycatra_appservice.toolkit.discovery import discover
from lycatra_appservice.toolkit.http_json.making import make_namespace, make_tool
from lycatra_appservice.toolkit.lint import letters_problem
from lycatra_appservice.toolkit.naming import (
    namespace_name_problem,
    namespace_problem,
    prompt_problems,
    tool_in,
    tool_problems,
)
from lycatra_appservice.toolkit.own.found import FoundTools, Problem
from lycatra_appservice.toolkit.own.sources import (
    OpenSource,
    Source,
    folder_source,
    package_sources,
)
from lycatra_appservice.toolkit.prompts import PromptTemplate, prompt_in
from lycatra_appservice.toolkit.registry import AnyTool, Registry
from lycatra_appservice.toolkit.remote.namespaces import namespaces_of

_OURS = "Lycatra itself"
CONFIGURED: Final = "own_tools.http_json"
_SERVERS: Final = "mcp_servers"
_NO_SERVERS: Final[Mapping[str, McpServer]] = MappingProxyType({})


class Places(Protocol):
    """The `own_tools` section of the configuration."""

    @property
    def paths(self) -> Sequence[Path]:
        """Folders of namespaces; where two have the same name, the first one counts."""

    @property
    def http_json(self) -> Sequence[HttpJsonTool]:
        """Tools that are made from what the configuration says of them."""

    @property
    def packages(self) -> bool:
        """Whether installed packages may offer tools."""


def find_tools(places: Places, servers: Mapping[str, McpServer] = _NO_SERVERS) -> FoundTools:
    """The tools that ship, and those of the operator's own that work.

    Never raises for what is wrong with the latter. Loads everything anew each time: keep what is
    returned, its settings classes are equal to no other search's.
    """
    search = _Search(discover())
    search.make(places.http_json)
    search.make_room(servers)
    for path in places.paths:
        search.open(str(path), partial(folder_source, path))
    for label, open_package in package_sources() if places.packages else ():
        search.open(label, open_package)
    return search.found()


def look_into(folder: Path) -> FoundTools:
    """The same for one folder alone, whatever is configured."""
    search = _Search(discover())
    search.open(str(folder), partial(folder_source, folder))
    return search.found()


class _BrokenError(LycatraError):
    """What is looked at cannot be used."""


class _Search:
    """Collects what works beside what was there before, and what does not."""

    def __init__(self, shipped: Registry) -> None:
        self._namespaces = list(shipped.namespaces)
        self._tools = {each.name: list(shipped.tools_of(each.name)) for each in self._namespaces}
        self._prompts = {
            each.name: list(shipped.prompts_of(each.name)) for each in self._namespaces
        }
        names = [*(t.name for t in shipped.tools), *(p.name for p in shipped.prompts)]
        self._whose = dict.fromkeys(names, _OURS)
        self._whose_namespace = {each.name: _OURS for each in self._namespaces}
        self._problems: list[Problem] = []
        self._disabled: set[str] = set()
        self._all_known = True

    def found(self) -> FoundTools:
        """All of it."""
        own = _not_ours(self._whose_namespace)
        return FoundTools(
            registry=Registry(self._namespaces, self._tools, self._prompts),
            problems=tuple(self._problems),
            origins=MappingProxyType(_not_ours(self._whose)),
            namespace_origins=MappingProxyType(own),
            disabled=frozenset(self._disabled - self._whose_namespace.keys()),
            all_known=self._all_known,
        )

    def make(self, configured: Sequence[HttpJsonTool]) -> None:
        """Make the tools of a configuration, with the namespaces that they name."""
        for name in sorted({each.namespace for each in configured}):
            tools = [each for each in configured if each.namespace == name]
            try:
                self._refuse_name(name)
            except _BrokenError as error:
                self._problems.append(
                    Problem(
                        where=CONFIGURED,
                        reason=str(error),
                        namespace=name,
                        tools=tuple(each.name for each in tools),
                        is_second=name in self._whose_namespace,
                    )
                )
                continue
            self._namespaces.append(make_namespace(name, tools))
            self._whose_namespace[name] = CONFIGURED
            self._tools[name], self._prompts[name] = [], []
            for each in tools:
                self._make_one(each)

    def make_room(self, servers: Mapping[str, McpServer]) -> None:
        """A namespace for each MCP server, whose tools come when the program runs."""
        for namespace in namespaces_of(servers):
            try:
                self._refuse_name(namespace.name)
            except _BrokenError as error:
                self._problems.append(
                    Problem(
                        where=_SERVERS,
                        reason=str(error),
                        namespace=namespace.name,
                        is_second=namespace.name in self._whose_namespace,
                    )
                )
                continue
            self._namespaces.append(namespace)
            self._whose_namespace[namespace.name] = _SERVERS
            self._tools[namespace.name], self._prompts[namespace.name] = [], []

    def _make_one(self, configured: HttpJsonTool) -> None:
        tool = make_tool(configured)
        if problems := list(self._faults(tool, Path(tool.name))):
            problem = Problem(
                where=CONFIGURED,
                reason="; ".join(problems),
                namespace=configured.namespace,
                tool=tool.name,
            )
            self._problems.append(problem)
        else:
            self._tools[configured.namespace].append(tool)
            self._whose[tool.name] = CONFIGURED

    def open(self, label: str, open_source: OpenSource) -> None:
        """Look through a source that may not even open."""
        try:
            source = open_source()
            entries = list(source.entries())
        except (LycatraError, OSError) as error:
            self._all_known = False
            self._problems.append(Problem(where=label, reason=str(error)))
            return
        for path in entries:
            self._look_into(source, path)

    def _look_into(self, source: Source, path: Path) -> None:
        name = path.name.removesuffix(".py")
        try:
            namespace = self._namespace(source, path)
        except (LycatraError, OSError) as error:
            reason = (
                f"it cannot be read: {error.strerror}" if isinstance(error, OSError) else error
            )
            self._disabled.add(name)
            self._problems.append(
                Problem(
                    where=str(path),
                    reason=str(reason),
                    namespace=name,
                    tools=_names_in(source, name),
                    is_second=name in self._whose_namespace,
                )
            )
            return
        self._namespaces.append(namespace)
        self._whose_namespace[name] = source.label
        self._tools[name], self._prompts[name] = [], []
        for file in source.tool_files(name):
            self._add_tool(source, name, file)

    def _namespace(self, source: Source, path: Path) -> Namespace:
        """The namespace of a folder. Raises LycatraError."""
        name = path.name
        if not path.is_dir():
            raise _BrokenError("a tool needs a folder, which is its namespace")
        self._refuse_name(name)
        if not (path / "__init__.py").exists():
            raise _BrokenError(f"there is no __init__.py; it {namespace_problem(None, name)}")
        namespace = getattr(source.load(name), "NAMESPACE", None)
        problem = namespace_problem(namespace, name)
        if problem or not isinstance(namespace, Namespace):
            raise _BrokenError(f"__init__.py: {problem}")
        if not any(source.tool_files(name)):
            raise _BrokenError("the namespace has no tool")
        return namespace

    def _refuse_name(self, namespace: str) -> None:
        """Raises LycatraError for a name that no namespace may have any more."""
        if problem := namespace_name_problem(namespace):
            raise _BrokenError(problem)
        if namespace in self._whose_namespace:
            whose = self._whose_namespace[namespace]
            raise _BrokenError(f"the namespace {namespace!r} is there already, from {whose}")

    def _add_tool(self, source: Source, namespace: str, file: Path) -> None:
        try:
            found = self._tool_or_prompt(source, namespace, file)
        except LycatraError as error:
            self._problems.append(
                Problem(where=str(file), reason=str(error), namespace=namespace, tool=file.stem)
            )
            return
        if isinstance(found, PromptTemplate):
            self._prompts[namespace].append(found)
        else:
            self._tools[namespace].append(found)
        self._whose[found.name] = source.label

    def _tool_or_prompt(
        self, source: Source, namespace: str, file: Path
    ) -> AnyTool | PromptTemplate:
        """What a file declares. Raises LycatraError with all that is wrong with it."""
        if problem := letters_problem(file.stem):
            raise _BrokenError(problem)
        module = source.load(namespace, file.stem)
        found = prompt_in(module) or tool_in(module)
        if found is None:
            raise _BrokenError(
                "there is no TOOL = Tool(…) and no PROMPT = PromptTemplate(…); "
                "a helper's file name begins with an underscore"
            )
        with foreign_code(file, source.folder):
            # Asked inside: a declaration may be anything, and its arguments are code.
            problems = list(self._faults(found, file))
        if problems:
            raise _BrokenError("; ".join(problems))
        return found

    def _faults(self, found: AnyTool | PromptTemplate, file: Path) -> Iterator[str]:
        if isinstance(found, PromptTemplate):
            yield from prompt_problems(found, file.stem)
        else:
            yield from tool_problems(found, file.stem)
        if found.name in self._whose:
            yield f"the name {found.name!r} is taken by a tool of {self._whose[found.name]}"


def _not_ours(whose: dict[str, str]) -> dict[str, str]:
    return {name: label for name, label in whose.items() if label != _OURS}


def _names_in(source: Source, namespace: str) -> tuple[str, ...]:
    """The tools that its files would be, where it can be looked into."""
    try:
        return tuple(file.stem for file in source.tool_files(namespace))
    except OSError:
        return ()
