"""`lycatra init`: from a few answers to a Synapse that knows Lycatra, and a first message."""

import sys
from argparse import ArgumentParser, BooleanOptionalAction, Namespace
from pathlib import Path

from lycatra_appservice.cli.command import Command, add_config_argument
from lycatra_appservice.setup.answers import Place
from lycatra_appservice.setup.console import Console

_INTERRUPTED = 130  # 128 + SIGINT, as shells count


def _add_arguments(parser: ArgumentParser) -> None:
    add_config_argument(parser)
    answers = parser.add_argument_group("answers, instead of being asked")
    answers.add_argument("--admin", metavar="MXID", help="your own Matrix ID, @name:server")
    answers.add_argument("--server-name", metavar="NAME", help="Synapse's server_name")
    answers.add_argument("--homeserver", metavar="URL", help="how Lycatra reaches Synapse")
    answers.add_argument("--ca-file", type=Path, metavar="FILE", help="its own authority, as PEM")
    answers.add_argument("--localpart", metavar="NAME", help="Lycatra's name (default: lycatra)")
    answers.add_argument("--synapse", type=Place, choices=list(Place), help="where Synapse runs")
    answers.add_argument("--appservice-url", metavar="URL", help="how Synapse reaches Lycatra")
    answers.add_argument("--port", type=int, help="where Lycatra listens (default: 8080)")
    answers.add_argument("--model-url", metavar="URL", help="a server of OpenAI's kind")
    answers.add_argument("--model", metavar="NAME", help="the model's name there")
    answers.add_argument("--model-key-file", type=Path, metavar="FILE", help="holds its API key")
    answers.add_argument("--no-model", action="store_true", help="commands only, for now")
    _add_steps(parser)


def _add_steps(parser: ArgumentParser) -> None:
    parser.add_argument("--yes", action="store_true", help="ask nothing: answers and defaults")
    parser.add_argument(
        "--container", metavar="NAME", default="synapse", help="what Synapse's container is called"
    )
    parser.add_argument(
        "--wait", type=int, metavar="SECONDS", default=3600, help="for Synapse; 0: not at all"
    )
    parser.add_argument(
        "--greet", action=BooleanOptionalAction, help="let @lycatra write to the admin at the end"
    )
    parser.add_argument(
        "--run", action=BooleanOptionalAction, help="start the service at the end", dest="start"
    )


def _run(arguments: Namespace) -> int:
    is_interactive = sys.stdin.isatty() and not arguments.yes
    console = Console(sys.stdin if is_interactive else None, sys.stdout)
    # Here, so that the other commands start without what this one needs.
    from lycatra_appservice.cli.init_steps import set_up

    try:
        return set_up(arguments, console)
    except KeyboardInterrupt:
        console.say()
        console.say("Stopped. Nothing is half-written; `lycatra init` goes on from here.")
        return _INTERRUPTED


INIT = Command(
    name="init",
    summary="Set Lycatra up beside your Synapse: a few questions, then it waits until it works.",
    add_arguments=_add_arguments,
    run=_run,
)
