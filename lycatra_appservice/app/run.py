"""From settings to an exit code: logging, signals, and the one place that prints a failure."""

import asyncio
import logging
import signal
import sys

from lycatra_appservice.app.parts import secrets_of
from lycatra_appservice.app.service import Service
from lycatra_appservice.errors import LycatraError
from lycatra_appservice.ops.logs import LogFormat, configure_logging
from lycatra_appservice.settings import Settings
from lycatra_appservice.toolkit.extras import missing_extras
from lycatra_appservice.toolkit.own.found import FoundTools

logger = logging.getLogger(__name__)


def run(settings: Settings, tools: FoundTools) -> int:
    """Serve until SIGTERM or SIGINT; 0 after an orderly end, 1 when it could not start.

    `tools` are those that the settings were checked with.
    """
    return asyncio.run(_serve(settings, tools))


async def _serve(settings: Settings, tools: FoundTools) -> int:
    service = Service(settings, tools)
    configure_logging(
        level=settings.log.level,
        log_format=LogFormat(settings.log.format),
        replica=service.owner,
        secrets=secrets_of(settings),
    )
    for warning in (*settings.warnings, *missing_extras(settings.tool_settings)):
        logger.warning("configuration", extra={"warning": warning})
    for problem in tools.problems:
        logger.warning(
            "tools_disabled",
            extra={
                "disabled": problem.disabled,
                "file": problem.where,
                "reason": problem.reason,
            },
        )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, service.stop)
    try:
        await service.run()
    except LycatraError as error:
        logger.debug("not_started", exc_info=error)
        print(f"lycatra: {error}", file=sys.stderr)  # noqa: T201 (the operator reads it there)
        return 1
    return 0
