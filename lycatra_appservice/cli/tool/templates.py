"""What `lycatra tool new` writes."""

from typing import Final

_NAMESPACE: Final = '''\
"""Say here in a sentence what these tools are about."""

from lycatra_appservice.toolkit.base import Namespace

NAMESPACE = Namespace(
    name="{namespace}",
    display_name="{title}",
    summary="Say here in a sentence what these tools are about.",
)
'''
_TOOL: Final = '''\
"""Say here in a sentence what this tool is for."""

from lycatra_appservice.toolkit.base import Field, Tool, ToolArgs, ToolContext, ToolResult


class {class_name}Args(ToolArgs):
    """What people and models may say; each argument has bounds and a description."""

    name: str = Field(min_length=1, max_length=60, description="Whom or what to greet.")
    times: int = Field(default=1, ge=1, le=5, description="How often.")


async def run(args: {class_name}Args, ctx: ToolContext) -> ToolResult:
    """`data` is for models and programs, `markdown` for people: the same facts."""
    greeting = " ".join([f"Hello {{args.name}}!"] * args.times)
    return ToolResult(
        data={{"greeting": greeting, "at": ctx.now().isoformat()}},
        markdown=greeting,
    )


TOOL = Tool(
    name="{name}",
    title="{title}",
    summary=(
        "Greets somebody by name, as often as asked. Write here for a reader who cannot see the "
        "code when to use this tool, and what comes back."
    ),
    args={class_name}Args,
    run=run,
    example="{words} Alice",
)
'''
_TEST: Final = '''\
"""What {name} promises: python3 -m unittest discover -s {folder}/tests"""

import unittest
from pathlib import Path

from lycatra_appservice.toolkit.base import InvalidArgumentsError
from lycatra_appservice.toolkit.trial import Trial

FILE = Path(__file__).parents[1] / "{namespace}" / "{name}.py"


class {class_name}(unittest.IsolatedAsyncioTestCase):
    async def test_it_greets_as_often_as_asked(self) -> None:
        result = await Trial(FILE).call(name="Alice", times=2)

        self.assertEqual(result.markdown, "Hello Alice! Hello Alice!")

    async def test_more_often_than_allowed_is_refused(self) -> None:
        with self.assertRaises(InvalidArgumentsError):
            await Trial(FILE).call(name="Alice", times=6)


if __name__ == "__main__":
    unittest.main()
'''


def namespace_file(namespace: str) -> str:
    """The `__init__.py` of a namespace."""
    return _NAMESPACE.format(namespace=namespace, title=_title(namespace))


def tool_file(name: str) -> str:
    """A tool with arguments of both usual kinds."""
    words = name.replace("_", " ")
    return _TOOL.format(name=name, class_name=_class(name), title=_title(name), words=words)


def tests_file(namespace: str, name: str, folder: str) -> str:
    """Tests of what `tool_file` does, without anything that has to be installed."""
    return _TEST.format(namespace=namespace, name=name, class_name=_class(name), folder=folder)


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _class(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))
