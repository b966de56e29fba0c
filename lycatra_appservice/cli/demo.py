"""`lycatra demo`: a Synapse of its own, the service, and a chat in the terminal."""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from lycatra_appservice.cli.command import Command


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--script", type=Path, metavar="FILE", help="type this file's lines instead of asking"
    )
    parser.add_argument(
        "--folder",
        type=Path,
        metavar="DIR",
        default=Path("demo-data"),
        help="where the demo keeps its data (default: %(default)s)",
    )
    parser.add_argument(
        "--synapse-python",
        type=Path,
        metavar="PYTHON",
        default=Path(sys.executable),
        help="the Python that has matrix-synapse installed (default: this one)",
    )


def _run(arguments: Namespace) -> int:
    from lycatra_appservice.demo.command import run

    return run(arguments)


DEMO = Command(
    name="demo",
    summary="Try everything on this computer, with a real Synapse and no configuration.",
    add_arguments=_add_arguments,
    run=_run,
)
