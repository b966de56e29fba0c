"""What a tool's declaration must look like, so that every model backend and person can use it."""

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from pydantic import ValidationError

from lycatra_appservice.toolkit.base import (
    Audience,
    Effect,
    Level,
    Rule,
    Scope,
    Tool,
    ToolArgs,
)

TOOL_NAME = re.compile(r"[a-z][a-z0-9_]{2,40}")
SUMMARY_CHARACTERS = range(40, 601)  # shorter says too little, longer costs every prompt
LONGEST_CACHE = timedelta(seconds=60)  # replicas do not share caches: they may differ that long

_KINDS: Mapping[type, Sequence[str]] = {
    str: ("name", "title", "summary", "example"),
    Effect: ("effect",),
    Level: ("level",),
    Scope: ("scope",),
    Audience: ("audience",),
    timedelta: ("timeout", "cache_for"),
}
_WRITTEN: Mapping[type, str] = {
    str: "a text",
    Effect: "Effect.READ or Effect.CHANGE",
    Level: "Level.VIEWER, Level.OPERATOR or Level.ADMIN",
    Scope: "Scope.PERSON or Scope.SHARED",
    Audience: "Audience.ROOM or Audience.ASKER",
    timedelta: "a timedelta, such as timedelta(seconds=30)",
}
_BOUNDS: Mapping[str, str] = {
    "string": "max_length=",
    "integer": "ge= and le=",
    "number": "ge= and le=",
    "array": "max_length=",
}

# llama.cpp compiles schemas to a grammar and answers 400 to a type it does not know.
_TYPES = frozenset({"string", "integer", "number", "boolean", "array", "object", "null"})
_BRANCHES = ("anyOf", "oneOf", "allOf")
_LOOKAROUND = re.compile(r"\(\?(?:[=!]|<[=!])")  # silently not enforced by grammars


def letters_problem(name: str) -> str | None:
    """What is wrong with the letters of a tool's name."""
    if TOOL_NAME.fullmatch(name):
        return None
    return f"the name {name!r} should be 3 to 41 of a-z, 0-9 and _, beginning with a letter"


def lint_tool(tool: Tool[Any]) -> list[str]:
    """Every rule that the declaration breaks, one sentence each; empty when it is fine."""
    if wrong := list(_type_problems(tool)):
        return wrong  # the other rules could not even be asked
    return [*_declaration_problems(tool), *_args_problems(tool), *schema_problems(tool.schema())]


def schema_problems(schema: Mapping[str, Any]) -> list[str]:
    """Every rule that a JSON Schema of arguments breaks, naming the place."""
    return [*_top_problems(schema), *_problems_in(schema, "arguments")]


def _type_problems(tool: Tool[Any]) -> Iterator[str]:
    """What a type checker would say; not everybody has one, and some would only fail later."""
    for kind, names in _KINDS.items():
        for name in names:
            if not isinstance(getattr(tool, name), kind):
                yield f"{name} should be {_WRITTEN[kind]}"
    if not (isinstance(tool.args, type) and issubclass(tool.args, ToolArgs)):
        yield "args should be a class made from ToolArgs"
    approval: object = tool.approval
    if not (approval is None or isinstance(approval, Rule)):
        yield "approval should be a Rule"
    words: object = tool.also_called
    if isinstance(words, str) or not isinstance(words, Sequence):
        yield "also_called should be a list of words"


def _declaration_problems(tool: Tool[Any]) -> Iterator[str]:
    if problem := letters_problem(tool.name):
        yield problem
    if not tool.title.strip():
        yield "the title is empty"
    if len(tool.summary) not in SUMMARY_CHARACTERS:
        yield f"the summary has {len(tool.summary)} characters; it needs 40 to 600"
    if not tool.example.replace(" ", "_").startswith(tool.name):
        yield f"the example must start with the tool's words, as in {_words(tool.name)!r}"
    if tool.level is Level.NONE:
        yield "the level must be viewer or higher, or people who are denied could use it"
    if not tool.changes:
        yield from _reading_problems(tool)
    if tool.audience is Audience.ASKER and tool.scope is Scope.SHARED:
        yield "what is for the asker alone cannot have the scope of all"
    yield from _function_problems(tool)
    yield from _time_problems(tool)


def _reading_problems(tool: Tool[Any]) -> Iterator[str]:
    if tool.approval or tool.plan:
        yield "only a tool that changes something has an approval or a plan"
    if tool.resumes:
        yield "only a tool that changes something resumes; others are made again anyway"


def _function_problems(tool: Tool[Any]) -> Iterator[str]:
    if not inspect.iscoroutinefunction(tool.run):
        yield "run must be an `async def`"
    if tool.plan is not None and not inspect.iscoroutinefunction(tool.plan):
        yield "plan must be an `async def`"


def _time_problems(tool: Tool[Any]) -> Iterator[str]:
    if tool.timeout <= timedelta(0):
        yield "the timeout must be above zero"
    if not timedelta(0) <= tool.cache_for <= LONGEST_CACHE:
        yield f"cache_for must be 0 to {LONGEST_CACHE.total_seconds():.0f} seconds"
    if tool.changes and tool.cache_for:
        yield "a tool that changes something must not be cached"


def _args_problems(tool: Tool[Any]) -> Iterator[str]:
    config = tool.args.model_config
    if config.get("extra") != "forbid" or not config.get("frozen"):
        yield "the arguments must be frozen and forbid unknown fields, as ToolArgs does"
    for name, field in tool.args.model_fields.items():
        if not field.is_required() and not _takes(tool.args, name, field.get_default()):
            yield f"the argument {name!r} would not take its own default, {field.default!r}"


def _takes(args: type[ToolArgs], name: str, value: object) -> bool:
    if value is None:
        return True  # "not given", whatever is declared
    try:
        args.model_validate({name: value})
    except ValidationError as wrong:
        return all(each["loc"][:1] != (name,) for each in wrong.errors(include_url=False))
    return True


def _top_problems(schema: Mapping[str, Any]) -> Iterator[str]:
    for key in ("$ref", *_BRANCHES):
        if key in schema:
            yield f"the arguments have {key} at the top level"
    if schema.get("type") != "object":
        yield "the arguments must be an object"
    for name, part in schema.get("properties", {}).items():
        if not part.get("description", "").strip():
            yield f"the argument {name!r} has no description"


def _problems_in(part: Mapping[str, Any], where: str) -> Iterator[str]:
    if "$ref" in part:
        yield f"{where} contains itself; arguments must have an end"
        return
    branches = [branch for key in _BRANCHES for branch in part.get(key, ())]
    for branch in branches:
        yield from _problems_in(branch, where)
    if branches or "enum" in part or "const" in part:
        return
    kind = part.get("type")
    if kind not in _TYPES:
        yield f"{where} has no type that a model knows: use str, int, float, bool, list or an Enum"
        return
    yield from _bound_problems(kind, part, where)
    yield from _inner_problems(kind, part, where)


def _bound_problems(kind: str, part: Mapping[str, Any], where: str) -> Iterator[str]:
    missing = {
        "string": "maxLength" not in part,
        "integer": not _has_range(part),
        "number": not _has_range(part),
        "array": "maxItems" not in part,
    }.get(kind, False)
    if missing:
        yield f"{where} has no bounds: give its Field {_BOUNDS[kind]}"
    if _LOOKAROUND.search(part.get("pattern", "")):
        yield f"{where} has a pattern that looks around; no model backend follows that"


def _inner_problems(kind: str, part: Mapping[str, Any], where: str) -> Iterator[str]:
    if kind == "array":
        yield from _problems_in(part.get("items", {}), f"{where}[]")
    if kind == "object":
        if part.get("additionalProperties") is not False:
            yield (
                f"{where} would take anything: instead of a dict use a class made from ToolArgs, "
                "or a list"
            )
        for name, inner in part.get("properties", {}).items():
            yield from _problems_in(inner, f"{where}.{name}")


def _has_range(part: Mapping[str, Any]) -> bool:
    lower = "minimum" in part or "exclusiveMinimum" in part
    return lower and ("maximum" in part or "exclusiveMaximum" in part)


def _words(name: str) -> str:
    return name.replace("_", " ")
