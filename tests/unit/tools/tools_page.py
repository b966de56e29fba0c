"""docs/TOOLS.md, made from the registry."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lycatra_appservice.cli.tool.words import arguments_of
from lycatra_appservice.toolkit.base import Effect, Namespace, NoSettings, PromptTemplate
from lycatra_appservice.toolkit.discovery import discover
from lycatra_appservice.toolkit.registry import AnyTool
from lycatra_appservice.toolkit.reserved import RESERVED
from tests.unit.tools.shown_tools import SHOWN, Answered

_BEGINNING = """\
# Tools

What ships with Lycatra. A namespace is a virtual user, and what stands in its section is what
that user can do: by a command that begins with `!`, in words to `@lycatra`, or in a mention of the
user itself. Under each request stands the answer that running it gave.

`lycatra tool list` shows these and your own, `lycatra tool show NAME` what a model sees of one,
`lycatra tool call NAME` runs one from a shell. [OWN_TOOLS](OWN_TOOLS.md) is how to add one.

This page is made from the tools, and a test compares it. After a change there, write it anew:

```sh
LYCATRA_WRITE_DOCS=1 .venv/bin/python -m pytest tests/unit/tools/test_tools_page.py
```
"""


def tools_page(answers: Mapping[str, Sequence[Answered]]) -> str:
    """The whole page; `answers` has those of every tool that only reads."""
    lines = [_BEGINNING]
    for namespace in discover().namespaces:
        lines += _namespace(namespace)
        for tool in discover().tools_of(namespace.name):
            lines += _tool(tool, namespace, answers.get(tool.name, ()))
        for prompt in discover().prompts_of(namespace.name):
            lines += _prompt(prompt)
    return "\n".join(lines)


def _namespace(namespace: Namespace) -> Iterator[str]:
    yield f"## {namespace.display_name}\n"
    yield f"`@lycatra_{namespace.name}`: {namespace.summary}\n"
    if namespace.settings is NoSettings:
        return
    yield f"Its settings stand under `tools.{namespace.name}` in the configuration:\n"
    schema = namespace.settings.model_json_schema()
    yield from _keys(schema, schema.get("$defs", {}), "")
    yield ""


def _keys(schema: Mapping[str, Any], known: Mapping[str, Any], indent: str) -> Iterator[str]:
    for name, field in schema.get("properties", {}).items():
        kinds = field.get("items", {}).get("oneOf", ())
        is_inner = "$ref" in field
        member = field.get("items", {}).get("$ref")
        if member:
            yield f"{indent}- `{name}`: a list, each with"
            each = known[member.rpartition("/")[2]]
            yield from _keys(each, known, f"{indent}  ")
        elif not kinds:
            inner = known[field["$ref"].rpartition("/")[2]] if is_inner else {}
            keys = f" with {', '.join(f'`{key}`' for key in inner['properties'])}" if inner else ""
            yield f"{indent}- `{name}`{_default(name, field, schema)}{keys}"
        if kinds:
            yield f"{indent}- `{name}`: a list, of"
        for kind in kinds:
            each = known[kind["$ref"].rpartition("/")[2]]
            constant = each["properties"]["kind"]["const"]
            said = " ".join(str(each.get("description", "")).split())
            yield f"{indent}  - `kind: {constant}`: {said}"
            rest = {k: v for k, v in each["properties"].items() if k != "kind"}
            yield from _keys({**each, "properties": rest}, known, f"{indent}    ")


def _default(name: str, field: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    if name in schema.get("required", ()):
        return ", which has to be there"
    default = field.get("default")
    if isinstance(default, bool):
        return f" ({str(default).lower()})"
    return f" ({default})" if isinstance(default, int | float) else ""


def _tool(tool: AnyTool, namespace: Namespace, answers: Sequence[Answered]) -> Iterator[str]:
    yield f"### `!{tool.name.replace('_', ' ')}`\n"
    yield f"{tool.summary}\n"
    yield f"{_rules(tool)}\n"
    arguments = list(arguments_of(tool))
    if arguments:
        yield "| argument | |\n|---|---|"
        for name, said in arguments:
            yield f"| `{name}` | {_cell(said)} |"
        yield ""
    if tool.effect is Effect.CHANGE:
        yield f"For example `!{tool.example}`. It is run when somebody who may has approved it.\n"
        return
    yield from _examples(SHOWN[tool.name].config, namespace, answers)


def _prompt(prompt: PromptTemplate) -> Iterator[str]:
    yield f"### `!{prompt.name.replace('_', ' ')}`, a ready-made question\n"
    yield f"{prompt.summary} The language model answers it, in its own words.\n"
    if prompt.arguments:
        yield "| argument | |\n|---|---|"
        for each in prompt.arguments:
            name = each.name if each.required else f"[{each.name}]"
            yield f"| `{name}` | {_cell(each.description)} |"
        yield ""


def _examples(config: str, namespace: Namespace, answers: Sequence[Answered]) -> Iterator[str]:
    if config:
        yield "With this configuration\n"
        inner = "".join(f"    {line}\n" for line in config.splitlines())
        yield f"```yaml\ntools:\n  {namespace.name}:\n{inner}```\n"
    for answer in answers:
        asked = f"`!{answer.request}` is answered with"
        if answer.request in RESERVED:
            asked = f"For a model; people get the page of `!{answer.request}` instead. It gives"
        yield f"{asked}\n"
        note = [] if answer.note is None else ["", f"*{answer.note}*"]
        for line in [*answer.markdown.splitlines(), *note]:
            yield f"> {line}".rstrip()
        for picture in answer.pictures:
            yield f">\n> 🖼️ {picture}"
        yield ""


def _rules(tool: AnyTool) -> str:
    does = "Changes something" if tool.effect is Effect.CHANGE else "Only reads"
    kept = f", and kept for {tool.cache_for.total_seconds():g} s" if tool.cache_for else ""
    return (
        f"{does}; for {tool.level.name.lower()}s and above; "
        f"the answer is there within {tool.timeout.total_seconds():g} s{kept}."
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
