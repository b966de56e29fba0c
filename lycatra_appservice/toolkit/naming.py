"""What a namespace and a tool must be called and be, wherever they come from."""

import re
from collections.abc import Iterator
from typing import Final

from lycatra_appservice.toolkit.base import Namespace, Tool, ToolSettings
from lycatra_appservice.toolkit.lint import letters_problem, lint_tool
from lycatra_appservice.toolkit.prompts import PromptTemplate, lint_prompt
from lycatra_appservice.toolkit.registry import AnyTool
from lycatra_appservice.toolkit.reserved import RESERVED

NAMESPACE_NAME: Final = re.compile(r"[a-z][a-z0-9_]{1,30}")  # becomes part of a Matrix localpart

TESTS: Final = "tests"  # beside the namespaces
_SENDER: Final = "sender"  # @<localpart>_sender is the technical user of the registration
# Models and MCP clients learn by this tool what people learn by the word.
_MAY_BE_A_TOOL: Final = frozenset({"help"})


def namespace_problem(namespace: object, folder: str) -> str | None:
    """What is wrong with the NAMESPACE in a folder's `__init__.py`."""
    if not isinstance(namespace, Namespace):
        return (
            f'has no NAMESPACE = Namespace(name="{folder}", display_name="…", summary="…"), '
            "made of the Namespace of lycatra_appservice.toolkit.base"
        )
    if namespace.name != folder:
        return f"the namespace is called {namespace.name!r}, the folder {folder!r}"
    return namespace_name_problem(namespace.name) or _content_problem(namespace)


def namespace_name_problem(name: str) -> str | None:
    """Why nothing can be called so."""
    if not NAMESPACE_NAME.fullmatch(name):
        return f"the name {name!r} should be 2 to 31 of a-z, 0-9 and _, beginning with a letter"
    if name == TESTS:
        return f"{TESTS!r} is the folder for tests and cannot be a namespace"
    if name == _SENDER:
        return f"{_SENDER!r} is the name of the technical user and cannot be a namespace"
    if name in RESERVED:
        return f"{name!r} is a word that steers Lycatra and cannot be a namespace"
    return None


def tool_name_problem(name: str) -> str | None:
    """Why no tool can be called so."""
    if problem := letters_problem(name):
        return problem
    if name in RESERVED - _MAY_BE_A_TOOL:
        return f"{name!r} is a word that steers Lycatra and cannot be a tool"
    return None


def tool_problems(tool: AnyTool, file: str) -> Iterator[str]:
    """What is wrong with the TOOL of a file, which is given without its `.py`."""
    if tool.name != file:
        yield f"the tool is called {tool.name!r}, the file {file!r}; give both one name"
    # The lint says what is wrong with its letters.
    if tool.name in RESERVED and (problem := tool_name_problem(tool.name)):
        yield problem
    yield from lint_tool(tool)


def prompt_problems(prompt: PromptTemplate, file: str) -> Iterator[str]:
    """What is wrong with the PROMPT of a file, which is given without its `.py`."""
    if prompt.name != file:
        yield f"the prompt is called {prompt.name!r}, the file {file!r}; give both one name"
    elif problem := letters_problem(prompt.name):
        yield problem
    elif prompt.name in RESERVED:
        yield f"{prompt.name!r} is a word that steers Lycatra and cannot be a prompt"
    yield from lint_prompt(prompt)


def tool_in(module: object) -> AnyTool | None:
    """The TOOL of a module."""
    tool = getattr(module, "TOOL", None)
    return tool if isinstance(tool, Tool) else None


def _content_problem(namespace: Namespace) -> str | None:
    for name in ("display_name", "summary"):
        text: object = getattr(namespace, name)
        if not isinstance(text, str) or not text.strip():
            return f"{name} should be a text"
    settings: object = namespace.settings
    if not (isinstance(settings, type) and issubclass(settings, ToolSettings)):
        return "settings should be a class made from ToolSettings"
    return None
