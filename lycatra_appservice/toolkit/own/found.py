"""What the search has found: the tools that work, and what is disabled for which reason."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from lycatra_appservice.toolkit.registry import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why something is disabled. `where` is the file or folder, `reason` one line for operators.

    Without `tool` the whole namespace is disabled, and all its `tools`; without `namespace` all
    of a folder. `is_second`: another namespace has that name, and works.
    """

    where: str
    reason: str
    namespace: str | None = None
    tool: str | None = None
    tools: Sequence[str] = ()
    is_second: bool = False

    @property
    def disabled(self) -> str:
        """What does not work, in a few words that are safe to show."""
        if self.namespace is None:
            return "a folder of tools"
        if self.is_second:
            return f"a second folder {self.namespace}"
        return f"{self.namespace}/{self.tool}" if self.tool else f"all of {self.namespace}"

    def is_about(self, tool: str) -> bool:
        """Whether this keeps a tool of that name from working."""
        return tool == self.tool or tool in self.tools

    def __str__(self) -> str:
        """The line that operators read."""
        return f"{self.disabled} is disabled: {self.where}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundTools:
    """The tools of an installation, and what is wrong with some.

    `origins` has, for each tool that does not ship with us, the folder or package it comes from;
    `namespace_origins` the same for namespaces. `disabled` are namespaces that are there and do
    not work; without `all_known` there may be others, in a folder that could not be looked into.
    """

    registry: Registry
    problems: Sequence[Problem] = ()
    origins: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    namespace_origins: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    disabled: frozenset[str] = frozenset()
    all_known: bool = True
    idle: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def own(self) -> frozenset[str]:
        """Namespaces that work and do not ship with us."""
        return frozenset(self.namespace_origins)

    @property
    def growing(self) -> frozenset[str]:
        """Namespaces whose tools come while the program runs."""
        return frozenset(each.name for each in self.registry.namespaces if each.is_remote)

    def names(self) -> Mapping[str, Sequence[str]]:
        """The tools of each namespace, also of what does not work as far as it is known."""
        names: defaultdict[str, list[str]] = defaultdict(list)
        for namespace in (*(each.name for each in self.registry.namespaces), *self.disabled):
            names[namespace] = [tool.name for tool in self.registry.tools_of(namespace)]
        for problem in self.problems:
            if problem.namespace is not None and problem.tool is not None:
                names[problem.namespace].append(problem.tool)
        return names

    def may_have(self, tool: str) -> bool:
        """Whether there may be such a tool, only that it does not work now."""
        is_broken = any(tool == problem.tool for problem in self.problems)
        may_come = any(tool.startswith(f"{each}_") for each in self.growing)
        return is_broken or may_come or bool(self.disabled) or not self.all_known

    def with_wrong_settings(self, mistakes: Mapping[str, Sequence[str]]) -> "FoundTools":
        """Without the namespaces whose section of the configuration is wrong, and why."""
        problems = [
            Problem(
                where="the configuration",
                reason="; ".join(lines),
                namespace=name,
                tools=tuple(tool.name for tool in self.registry.tools_of(name)),
            )
            for name, lines in mistakes.items()
        ]
        return replace(
            self,
            registry=self.registry.without(mistakes.keys()),
            problems=(*self.problems, *problems),
            disabled=self.disabled | mistakes.keys(),
        )

    def at_work(self, settings: Mapping[str, Any]) -> "FoundTools":
        """Without the tools that the namespaces' settings give nothing to work with."""
        idle = {
            tool.name: home.name
            for home in self.registry.namespaces
            for tool in self.registry.tools_of(home.name)
            if tool.has_work is not None
            and home.name in settings
            and not tool.has_work(settings[home.name])
        }
        emptied = [
            name
            for name in set(idle.values())
            if all(tool.name in idle for tool in self.registry.tools_of(name))
        ]
        return replace(self, registry=self.registry.without(emptied, idle.keys()), idle=idle)

    def may_tool_be_gone(self, tool: str) -> bool:
        """The same of one tool."""
        return self.registry.tool(tool) is None and not self.may_have(tool)

    def may_be_gone(self, namespace: str) -> bool:
        """Whether a namespace is surely not here any more, and not just broken or out of reach."""
        is_here = self.registry.namespace(namespace) is not None or namespace in self.disabled
        return self.all_known and not is_here
