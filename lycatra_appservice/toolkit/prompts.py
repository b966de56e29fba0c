"""Ready-made questions with gaps: declared once, for people in chat and for MCP clients."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

_GAP: Final = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_ARGUMENT_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,30}")
_SUMMARY_CHARS: Final = range(20, 401)
_TEXT_CHARS: Final = range(20, 2001)  # it stands in every request of its turn
_VALUE_CHARS: Final = range(1, 501)
_MOST_ARGUMENTS: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptArgument:
    """A gap in a ready-made question. What is written into it is data, quoted and bounded.

    `known` gives values that fit, from the checked settings of the prompt's namespace: for help,
    and for completion. Other values may be written all the same.
    """

    name: str
    description: str
    required: bool = False
    max_chars: int = 100
    known: Callable[[Any], Sequence[str]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptTemplate:
    """A question that people need often and ask well once.

    `name` is a command's, `summary` for whoever looks for it. In `text` stands `{argument}` where
    its value goes; a line with an argument that was not given is left out. The agent answers,
    with the asker's tools.
    """

    name: str
    title: str
    summary: str
    text: str
    arguments: Sequence[PromptArgument] = ()
    # Words that lead a person to it beside its own name.
    also_called: Sequence[str] = field(default_factory=tuple)

    def schema(self) -> Mapping[str, Any]:
        """JSON Schema of the arguments, all of them texts."""
        return {
            "type": "object",
            "properties": {
                each.name: {
                    "type": "string",
                    "description": each.description,
                    "maxLength": each.max_chars,
                }
                for each in self.arguments
            },
            "required": [each.name for each in self.arguments if each.required],
            "additionalProperties": False,
        }

    def filled(self, values: Mapping[str, str]) -> str:
        """The question; every value on one line, in quotation marks."""
        given = {name: " ".join(value.split()) for name, value in values.items() if value.strip()}
        lines = [
            _GAP.sub(lambda gap: json.dumps(given[gap[1]], ensure_ascii=False), line)
            for line in self.text.strip().splitlines()
            if set(_GAP.findall(line)) <= given.keys()
        ]
        return "\n".join(lines)


def lint_prompt(prompt: PromptTemplate) -> Iterator[str]:
    """Every rule that the declaration breaks, one sentence each, besides those for names."""
    wrong = list(_type_problems(prompt))
    yield from wrong or _content_problems(prompt)


def prompt_in(module: object) -> PromptTemplate | None:
    """The PROMPT of a module."""
    prompt = getattr(module, "PROMPT", None)
    return prompt if isinstance(prompt, PromptTemplate) else None


def _type_problems(prompt: PromptTemplate) -> Iterator[str]:
    for name in ("name", "title", "summary", "text"):
        text: object = getattr(prompt, name)
        if not isinstance(text, str):
            yield f"{name} should be a text"
    arguments: object = prompt.arguments
    if not isinstance(arguments, Sequence) or not all(
        isinstance(each, PromptArgument) for each in arguments
    ):
        yield "arguments should be a list of PromptArgument"
    words: object = prompt.also_called
    if isinstance(words, str) or not isinstance(words, Sequence):
        yield "also_called should be a list of words"


def _content_problems(prompt: PromptTemplate) -> Iterator[str]:
    if not prompt.title.strip():
        yield "title should be a text"
    for name, allowed in (("summary", _SUMMARY_CHARS), ("text", _TEXT_CHARS)):
        size = len(getattr(prompt, name).strip())
        if size not in allowed:
            most = allowed.stop - 1
            yield f"{name} should have {allowed.start} to {most} characters, not {size}"
    names = [each.name for each in prompt.arguments]
    if len(names) > _MOST_ARGUMENTS or len(set(names)) < len(names):
        yield f"arguments should be at most {_MOST_ARGUMENTS}, each with a name of its own"
    gaps = set(_GAP.findall(prompt.text))
    for name in sorted(gaps ^ set(names)):
        yield f"{name!r} should stand both in arguments and, as {{{name}}}, in text"
    for each in prompt.arguments:
        yield from _argument_problems(each)


def _argument_problems(argument: PromptArgument) -> Iterator[str]:
    if not _ARGUMENT_NAME.fullmatch(argument.name):
        yield f"the argument {argument.name!r} should be up to 31 of a-z, 0-9 and _"
    if not argument.description.strip():
        yield f"the argument {argument.name!r} should have a description"
    if argument.max_chars not in _VALUE_CHARS:
        yield f"max_chars of {argument.name!r} should be 1 to {_VALUE_CHARS.stop - 1}"
