"""`lycatra doctor`: looks at everything an installation needs, and says what to change."""

import asyncio
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence

from lycatra_appservice.cli.command import (
    Command,
    Installation,
    add_config_argument,
    read_installation,
)
from lycatra_appservice.cli.concerns import Concern, concerns_about
from lycatra_appservice.doctor.findings import (
    Finding,
    Level,
    as_json,
    error,
    has_errors,
    lines_of,
    masked,
    ok,
    summary,
)
from lycatra_appservice.errors import SettingsError
from lycatra_appservice.settings import Settings

_CONFIGURATION = "configuration"


def _add_arguments(parser: ArgumentParser) -> None:
    add_config_argument(parser)
    parser.add_argument(
        "--offline", action="store_true", help="ask neither the homeserver nor the model"
    )
    parser.add_argument("--json", action="store_true", help="for programs")


def _run(arguments: Namespace) -> int:
    findings: list[Finding] = []

    def report(finding: Finding) -> None:
        findings.append(finding)
        if not arguments.json:
            print(lines_of(finding), flush=True)  # a slow model should not look like a hang

    try:
        installation = read_installation(arguments)
    except SettingsError as mistaken:
        for problem in mistaken.problems:
            report(_mistake(problem))
    else:
        asyncio.run(_examine(installation, report, offline=arguments.offline))
    print(as_json(findings) if arguments.json else f"\n{summary(findings)}")
    return 1 if has_errors(findings) else 0


async def _examine(
    installation: Installation, report: Callable[[Finding], None], *, offline: bool
) -> None:
    # Here, so that the other commands start without the model's library.
    from lycatra_appservice.app.parts import secrets_of
    from lycatra_appservice.doctor.examine import Examination
    from lycatra_appservice.doctor.ours import users_with
    from lycatra_appservice.doctor.tools import judge_tools
    from lycatra_appservice.ops.masking import Masker

    settings, tools = installation.settings, installation.tools
    mask = Masker(secrets_of(settings)).mask

    def report_masked(finding: Finding) -> None:
        report(masked(finding, mask))

    for finding in _judge_configuration(settings):
        report_masked(finding)
    for finding in judge_tools(tools):
        report_masked(finding)
    await Examination(settings, users_with(settings, tools), report_masked).run(offline=offline)


def _mistake(problem: str) -> Finding:
    return error(
        _CONFIGURATION,
        problem,
        why="Lycatra does not start with it; nothing else can be asked before",
        fix="as it says; example-config.yaml has every key",
    )


def _judge_configuration(settings: Settings) -> Sequence[Finding]:
    # The registration and the model are examined for themselves.
    registration = str(settings.appservice.registration_file)
    read = [Concern(text, "what it says") for text in settings.warnings]
    concerns = [
        concern
        for concern in (*read, *concerns_about(settings))
        if not concern.what.startswith((registration, "there is no model"))
    ]
    found = [
        Finding(check=_CONFIGURATION, level=Level.WARNING, what=each.what, fix=each.fix)
        for each in concerns
    ]
    return found or [ok(_CONFIGURATION, "it is complete")]


DOCTOR = Command(
    name="doctor",
    summary="Look at everything that an installation needs, and say what to change.",
    add_arguments=_add_arguments,
    run=_run,
)
