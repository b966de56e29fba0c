"""`lycatra demo`: a Synapse of its own, the service, and a chat in the terminal."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lycatra_appservice.cli.command import Command, read_installation

if TYPE_CHECKING:  # the other commands start without the libraries of the demo
    from lycatra_appservice.matrix.users import NamedNamespace


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--script", type=Path, metavar="FILE", help="type this file's lines instead of asking"
    )
    parser.add_argument(
        "--encrypted", action="store_true", help="talk in an encrypted direct chat instead"
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

    return run(arguments, _namespaces)


def _namespaces(config: Path) -> "Sequence[NamedNamespace]":
    return read_installation(Namespace(config=config)).tools.registry.namespaces


DEMO = Command(
    name="demo",
    summary="Try everything on this computer, with a real Synapse and no configuration.",
    add_arguments=_add_arguments,
    run=_run,
)
