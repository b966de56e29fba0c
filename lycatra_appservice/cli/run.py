"""`lycatra run`: the service itself."""

from argparse import Namespace

from lycatra_appservice.cli.command import (
    Command,
    add_config_argument,
    read_installation,
    refuse_shared_mount,
)


def _run(arguments: Namespace) -> int:
    installation = read_installation(arguments)
    refuse_shared_mount(installation.settings.database)
    from lycatra_appservice.app import run

    return run(installation.settings, installation.tools)


RUN = Command(
    name="run",
    summary="Run the service until it is told to stop.",
    add_arguments=add_config_argument,
    run=_run,
)
