"""`lycatra run`: the service itself."""

import os
from argparse import ArgumentParser, Namespace

from lycatra_appservice.cli.command import (
    Command,
    add_config_argument,
    config_path,
    read_installation,
    refuse_shared_mount,
)


def _add_arguments(parser: ArgumentParser) -> None:
    add_config_argument(parser)
    parser.add_argument(
        "--reload",
        action="store_true",
        help="for development: start again when a tool of yours or the configuration changes",
    )


def _run(arguments: Namespace) -> int:
    if arguments.reload:
        return _run_reloading(arguments)
    installation = read_installation(arguments)
    refuse_shared_mount(installation.settings.database)
    from lycatra_appservice.app import run

    return run(installation.settings, installation.tools)


def _run_reloading(arguments: Namespace) -> int:
    from lycatra_appservice.cli.reload import run_reloading
    from lycatra_appservice.settings_file import load_own_tools

    path = config_path(arguments)
    return run_reloading(path, lambda: load_own_tools(path, os.environ).paths)


RUN = Command(
    name="run",
    summary="Run the service until it is told to stop.",
    add_arguments=_add_arguments,
    run=_run,
)
