"""`lycatra run`: the service itself."""

from argparse import Namespace

from lycatra_appservice.cli.command import (
    Command,
    add_config_argument,
    expect_known_tools,
    read_settings,
    refuse_shared_mount,
)


def _run(arguments: Namespace) -> int:
    settings = read_settings(arguments)
    refuse_shared_mount(settings.database)
    expect_known_tools(settings)
    from lycatra_appservice.app import run

    return run(settings)


RUN = Command(
    name="run",
    summary="Run the service until it is told to stop.",
    add_arguments=add_config_argument,
    run=_run,
)
