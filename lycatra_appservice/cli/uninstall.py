"""`lycatra uninstall`: takes Lycatra's users off the homeserver, and says what remains to do."""

from argparse import ArgumentParser, Namespace

from lycatra_appservice.cli.command import Command, add_config_argument


def _add_arguments(parser: ArgumentParser) -> None:
    add_config_argument(parser)
    parser.add_argument("--dry-run", action="store_true", help="only say what would be done")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def _run(arguments: Namespace) -> int:
    # Here, so that the other commands start without what this one needs.
    from lycatra_appservice.cli.uninstall_steps import uninstall

    return uninstall(arguments)


UNINSTALL = Command(
    name="uninstall",
    summary="Take Lycatra's users off the homeserver, and say what remains to do.",
    add_arguments=_add_arguments,
    run=_run,
)
