"""All namespaces and tools of a deployment; those of remote servers may change while it runs."""

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any, TypeAlias

from lycatra_appservice.toolkit.approvals import rule_to_json
from lycatra_appservice.toolkit.base import Namespace, PromptTemplate, Tool

# Tools of differing arguments meet here; their own files know the exact type.
AnyTool: TypeAlias = Tool[Any]


@dataclass(frozen=True, slots=True)
class _Home:
    tool: AnyTool
    namespace: Namespace


@dataclass(frozen=True, slots=True)
class _PromptHome:
    prompt: PromptTemplate
    namespace: Namespace


_NO_PROMPTS: Mapping[str, Sequence[PromptTemplate]] = MappingProxyType({})


class Registry:
    """Look-ups over tools; every order is by name, so that prompts and lists are stable.

    Frozen but for the tools of remote namespaces, which are exchanged all at once.
    """

    __slots__ = ("_followers", "_homes", "_namespaces", "_prompts")

    def __init__(
        self,
        namespaces: Sequence[Namespace],
        tools: Mapping[str, Sequence[AnyTool]],
        prompts: Mapping[str, Sequence[PromptTemplate]] = _NO_PROMPTS,
    ) -> None:
        """`tools` maps the name of a namespace to its tools, `prompts` to its ready questions.

        Raises ValueError for a name given twice or a tool without its namespace.
        """
        self._namespaces = {each.name: each for each in sorted(namespaces, key=_by_name)}
        if len(self._namespaces) != len(namespaces):
            raise ValueError("two namespaces have the same name")
        homes: dict[str, _Home] = {}
        for namespace, members in tools.items():
            if namespace not in self._namespaces:
                raise ValueError(f"there is no namespace {namespace!r}")
            for tool in members:
                if tool.name in homes:
                    raise ValueError(f"two tools are called {tool.name!r}")
                homes[tool.name] = _Home(tool, self._namespaces[namespace])
        self._homes = dict(sorted(homes.items()))
        self._prompts = self._placed(prompts)
        self._followers: list[Callable[[], None]] = []

    def exchange(self, namespace: str, tools: Sequence[AnyTool]) -> None:
        """Give a remote namespace other tools, and tell whoever follows.

        Raises ValueError for a name that something else has, or a namespace that stays as it is.
        """
        home = self._namespaces[namespace]
        if not home.is_remote:
            raise ValueError(f"the tools of {namespace!r} never change")
        kept = {name: each for name, each in self._homes.items() if each.namespace is not home}
        for tool in tools:
            if tool.name in kept or tool.name in self._prompts:
                raise ValueError(f"two tools are called {tool.name!r}")
            kept[tool.name] = _Home(tool, home)
        self._homes = dict(sorted(kept.items()))
        for follower in self._followers:
            follower()

    def follow(self, follower: Callable[[], None]) -> None:
        """Have it called after each exchange, for what was made of the tools before."""
        self._followers.append(follower)

    def _placed(
        self, prompts: Mapping[str, Sequence[PromptTemplate]]
    ) -> Mapping[str, _PromptHome]:
        found: dict[str, _PromptHome] = {}
        for namespace, questions in prompts.items():
            for prompt in questions:
                if prompt.name in self._homes or prompt.name in found:
                    raise ValueError(f"two tools or prompts are called {prompt.name!r}")
                found[prompt.name] = _PromptHome(prompt, self._namespaces[namespace])
        return dict(sorted(found.items()))

    @property
    def namespaces(self) -> tuple[Namespace, ...]:
        """Every namespace, sorted by name."""
        return tuple(self._namespaces.values())

    @property
    def tools(self) -> tuple[AnyTool, ...]:
        """Every tool, sorted by name."""
        return tuple(home.tool for home in self._homes.values())

    def namespace(self, name: str) -> Namespace | None:
        """The namespace called `name`."""
        return self._namespaces.get(name)

    def tool(self, name: str) -> AnyTool | None:
        """The tool called `name`."""
        home = self._homes.get(name)
        return home.tool if home else None

    def namespace_of(self, tool_name: str) -> Namespace:
        """The namespace that a tool of this registry lives in; KeyError for any other name.

        Also of a remote tool that has just gone: a call of it may still be on its way.
        """
        home = self._homes.get(tool_name)
        return home.namespace if home else self._remote_home(tool_name)

    def _remote_home(self, tool_name: str) -> Namespace:
        remote = [each for each in self._namespaces.values() if each.is_remote]
        fitting = [each for each in remote if tool_name.startswith(f"{each.name}_")]
        if not fitting:
            raise KeyError(tool_name)
        return max(fitting, key=lambda each: len(each.name))

    def tools_of(self, namespace: str) -> tuple[AnyTool, ...]:
        """The tools of one namespace, sorted by name."""
        return tuple(h.tool for h in self._homes.values() if h.namespace.name == namespace)

    @property
    def prompts(self) -> tuple[PromptTemplate, ...]:
        """Every ready-made question, sorted by name."""
        return tuple(home.prompt for home in self._prompts.values())

    def prompt(self, name: str) -> PromptTemplate | None:
        """The ready-made question called `name`."""
        home = self._prompts.get(name)
        return home.prompt if home else None

    def namespace_of_prompt(self, name: str) -> Namespace:
        """The namespace of a ready-made question; KeyError for any other name."""
        return self._prompts[name].namespace

    def home_of(self, name: str) -> Namespace:
        """The namespace of a tool or ready-made question; KeyError for any other name."""
        return self._prompts[name].namespace if name in self._prompts else self.namespace_of(name)

    def prompts_of(self, namespace: str) -> tuple[PromptTemplate, ...]:
        """The ready-made questions of one namespace, sorted by name."""
        return tuple(h.prompt for h in self._prompts.values() if h.namespace.name == namespace)

    def without(
        self, namespaces: Collection[str], tools: Collection[str] = frozenset()
    ) -> "Registry":
        """The same without these namespaces and all that is in them, and without these tools."""
        kept = [each for each in self._namespaces.values() if each.name not in namespaces]
        return Registry(
            kept,
            {
                each.name: [tool for tool in self.tools_of(each.name) if tool.name not in tools]
                for each in kept
            },
            {each.name: self.prompts_of(each.name) for each in kept},
        )

    @property
    def digest(self) -> str:
        """Equal for two registries in which every tool is called, described and guarded alike.

        For replicas: an answer must not depend on which of them gives it. Without the tools of
        remote servers, which no two replicas hear of at the same moment.
        """
        lasting = [home for home in self._homes.values() if not home.namespace.is_remote]
        known = [[home.namespace.name, _declaration(home.tool)] for home in lasting]
        names = [[each.name, each.display_name, each.summary] for each in self.namespaces]
        asked = [[h.namespace.name, _wording(h.prompt)] for h in self._prompts.values()]
        text = json.dumps([names, known, asked], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def _declaration(tool: AnyTool) -> Mapping[str, Any]:
    """All of it but its code: of that only whether it has a plan."""
    plain = {each.name: getattr(tool, each.name) for each in fields(tool)}
    rule = rule_to_json(tool.approval) if tool.approval else None
    is_long = tool.background is not None
    changed = {"approval": rule, "args": tool.schema(), "plan": tool.plan is not None}
    return {**plain, **changed, "run": None, "has_work": None, "background": is_long}


def _wording(prompt: PromptTemplate) -> Mapping[str, Any]:
    """All of it but code."""
    plain = {each.name: getattr(prompt, each.name) for each in fields(prompt)}
    return {**plain, "arguments": prompt.schema()}


def _by_name(namespace: Namespace) -> str:
    return namespace.name
