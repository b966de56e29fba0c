"""`lycatra tool`: making, looking at, checking and trying tools, one file a word after it."""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Final

from lycatra_appservice.cli.command import Command, add_config_argument


def _runs(word: str) -> Callable[[Namespace], int]:
    """What runs a word; its file is loaded only then, with the libraries that tools need."""

    def run(arguments: Namespace) -> int:
        code: int = import_module(f"{__name__}.{word}").run(arguments)
        return code

    return run


def _add_new(parser: ArgumentParser) -> None:
    add_config_argument(parser)
    parser.add_argument("name", metavar="NAMESPACE/TOOL", help="such as weather/get_forecast")
    parser.add_argument(
        "--folder",
        type=Path,
        metavar="DIR",
        help="the folder of namespaces; else the first of own_tools.paths",
    )


def _add_show(parser: ArgumentParser) -> None:
    add_config_argument(parser)
    parser.add_argument("name", help="the tool's name, such as list_updates")
    parser.add_argument("--json", action="store_true", help="only what models and MCP clients see")


def _add_lint(parser: ArgumentParser) -> None:
    add_config_argument(parser)
    parser.add_argument(
        "paths",
        nargs="*",
        type=Path,
        metavar="PATH",
        help="a folder of namespaces, a namespace or a tool's file; else all that are configured",
    )


def _add_call(parser: ArgumentParser) -> None:
    add_config_argument(parser)
    parser.add_argument("name", help="the tool's name, such as list_updates")
    parser.add_argument(
        "words", nargs="*", metavar="ARGUMENT", help="as in a room: 5, key=value, or one JSON"
    )
    parser.add_argument(
        "--as",
        dest="person",
        metavar="@USER:SERVER",
        help="whose rights it has; else those of the first admin",
    )
    parser.add_argument("--json", action="store_true", help="what a model or a program gets")


_COMMANDS: Final[Sequence[Command]] = (
    Command(
        name="new",
        summary="Make a tool that works, with a test, to be changed into what you need.",
        add_arguments=_add_new,
        run=_runs("new"),
    ),
    Command(
        name="list",
        summary="Show every tool: what it does, who may use it, where it comes from.",
        add_arguments=add_config_argument,
        run=_runs("list"),
    ),
    Command(
        name="show",
        summary="Show one tool as people, models and MCP clients see it.",
        add_arguments=_add_show,
        run=_runs("show"),
    ),
    Command(
        name="lint",
        summary="Say what keeps tools from being used (exit code 0 or 1).",
        add_arguments=_add_lint,
        run=_runs("lint"),
    ),
    Command(
        name="call",
        summary="Run a tool with the rights of a person; what it remembers is forgotten after it.",
        add_arguments=_add_call,
        run=_runs("call"),
    ),
)


def _add_arguments(parser: ArgumentParser) -> None:
    below = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in _COMMANDS:
        subparser = below.add_parser(
            command.name, help=command.summary, description=command.summary
        )
        command.add_arguments(subparser)
        subparser.set_defaults(run_tool=command.run)


TOOL: Final = Command(
    name="tool",
    summary="Make, look at, check and try tools, your own and those that ship.",
    add_arguments=_add_arguments,
    run=lambda arguments: arguments.run_tool(arguments),
)
