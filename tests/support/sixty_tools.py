"""A namespace of sixty tools whose schemas look like those of a large MCP server."""

import copy
from collections.abc import Mapping
from typing import Any, ClassVar

from lycatra_appservice.toolkit.base import Namespace, Tool, ToolArgs, ToolContext, ToolResult
from lycatra_appservice.toolkit.registry import AnyTool, Registry

FORGE = Namespace(
    name="forge",
    display_name="Forge",
    summary="Repositories, issues, pull requests, pipelines and packages of the code forge.",
)

_OWNER = {
    "owner": {"type": "string", "title": "Owner", "description": "Repository owner"},
    "repo": {"type": "string", "title": "Repo", "description": "Repository name"},
}
_PAGE = {
    "page": {
        "anyOf": [{"type": "number", "minimum": 1}, {"type": "null"}],
        "default": None,
        "title": "Page",
        "description": "Page number for pagination (min 1)",
    },
    "perPage": {
        "anyOf": [{"type": "number", "minimum": 1, "maximum": 100}, {"type": "null"}],
        "default": None,
        "title": "Perpage",
        "description": "Results per page for pagination (min 1, max 100)",
    },
}
_NUMBER = {"number": {"type": "number", "title": "Number", "description": "Its number"}}
_BODY = {
    "title": {"type": "string", "title": "Title", "description": "Its title"},
    "body": {"type": "string", "title": "Body", "description": "Its content in Markdown"},
    "labels": {
        "type": "array",
        "items": {"type": "string"},
        "title": "Labels",
        "description": "Labels to apply to it",
    },
    "assignees": {
        "type": "array",
        "items": {"type": "string"},
        "title": "Assignees",
        "description": "Usernames to assign to it",
    },
}
_FILTER = {
    "state": {
        "type": "string",
        "enum": ["open", "closed", "all"],
        "default": "open",
        "title": "State",
        "description": "Filter by state",
    },
    "sort": {
        "type": "string",
        "enum": ["created", "updated", "comments"],
        "title": "Sort",
        "description": "What to sort by",
    },
    "direction": {
        "type": "string",
        "enum": ["asc", "desc"],
        "title": "Direction",
        "description": "The direction to sort in",
    },
}
_QUERY = {
    "q": {"type": "string", "title": "Q", "description": "Search query in the forge's own syntax"}
}
_KINDS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "list": ("List the {} of a repository in the forge, with filters.", _OWNER | _FILTER | _PAGE),
    "get": ("Get the details of one of the {} in a repository of the forge.", _OWNER | _NUMBER),
    "search": ("Search for {} across all repositories of the forge.", _QUERY | _PAGE),
    "create": ("Create one of the {} in a repository of the forge.", _OWNER | _BODY),
    "edit": ("Change one of the {} in a repository.", _OWNER | _NUMBER | _BODY),
    "close": ("Close one of the {} in a repository of the forge.", _OWNER | _NUMBER),
}
_THINGS = (
    "branches",
    "commits",
    "discussions",
    "gists",
    "issues",
    "labels",
    "milestones",
    "pipelines",
    "pull_requests",
    "webhooks",
)


async def _unreachable(args: ToolArgs, ctx: ToolContext) -> ToolResult:
    raise AssertionError("no question of the demo is about the forge")


class _Foreign(ToolArgs):
    """Arguments whose schema was written by somebody else."""

    foreign: ClassVar[Mapping[str, Any]] = {}

    @classmethod
    def model_json_schema(cls, *_: Any, **__: Any) -> dict[str, Any]:
        """What the foreign server says."""
        return copy.deepcopy(dict(cls.foreign))


def sixty_tools() -> list[AnyTool]:
    """The tools of `FORGE`."""
    return [
        _tool(kind, thing, words.format(thing.replace("_", " ")), properties)
        for kind, (words, properties) in _KINDS.items()
        for thing in _THINGS
    ]


def beside_sixty(registry: Registry) -> Registry:
    """The same tools and sixty more."""
    tools = {each.name: registry.tools_of(each.name) for each in registry.namespaces}
    return Registry([*registry.namespaces, FORGE], {**tools, FORGE.name: sixty_tools()})


def _tool(kind: str, thing: str, summary: str, properties: Mapping[str, Any]) -> AnyTool:
    name = f"{kind}_{thing}"
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "title": f"{name}Arguments",
        "properties": properties,
        "required": [each for each in ("owner", "repo", "number", "q") if each in properties],
        "additionalProperties": False,
    }
    args = type("Arguments", (_Foreign,), {"foreign": schema, "__module__": __name__})
    return Tool(
        name=name,
        title=name,
        summary=summary,
        args=args,
        run=_unreachable,
        example=name.replace("_", " "),
    )
