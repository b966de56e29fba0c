"""The command `lycatra`: one file a subcommand, one sentence for whatever goes wrong."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence

from lycatra_appservice import __version__
from lycatra_appservice.cli.audit import AUDIT
from lycatra_appservice.cli.check import CHECK
from lycatra_appservice.cli.demo import DEMO
from lycatra_appservice.cli.doctor import DOCTOR
from lycatra_appservice.cli.health import HEALTH
from lycatra_appservice.cli.init import INIT
from lycatra_appservice.cli.migrate import MIGRATE
from lycatra_appservice.cli.registration import REGISTRATION
from lycatra_appservice.cli.run import RUN
from lycatra_appservice.cli.token import TOKEN
from lycatra_appservice.cli.tool import TOOL
from lycatra_appservice.cli.uninstall import UNINSTALL
from lycatra_appservice.errors import LycatraError, SettingsError

_COMMANDS = (
    INIT,
    RUN,
    CHECK,
    DOCTOR,
    TOOL,
    REGISTRATION,
    MIGRATE,
    AUDIT,
    TOKEN,
    HEALTH,
    DEMO,
    UNINSTALL,
)
_FAILED = 1
_WRONG_SETTINGS = 2
_INTERRUPTED = 130  # 128 + SIGINT, as shells count


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit code. Mistakes are told on standard error."""
    parsed = _parser().parse_args(arguments)
    return run_command(parsed.run, parsed)


def run_command(run: Callable[[Namespace], int], arguments: Namespace) -> int:
    """Run one command; what it raises on purpose becomes a sentence and an exit code."""
    try:
        return run(arguments)
    except SettingsError as error:
        return _tell(error.problems, _WRONG_SETTINGS)
    except LycatraError as error:
        return _tell([str(error) or error.user_message], _FAILED)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _tell([f"{where}{error.strerror or 'the system refused'}"], _FAILED)
    except KeyboardInterrupt:
        return _INTERRUPTED


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="lycatra", description="An assistant for the rooms of your own Synapse."
    )
    parser.add_argument("--version", action="version", version=f"lycatra {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in _COMMANDS:
        subparser = commands.add_parser(
            command.name, help=command.summary, description=command.summary
        )
        command.add_arguments(subparser)
        subparser.set_defaults(run=command.run)
    return parser


def _tell(lines: Sequence[str], code: int) -> int:
    for line in lines:
        print(f"lycatra: {line}", file=sys.stderr)
    return code
