"""`lycatra audit`: who had what done, read from the database beside the running service."""

import argparse
import asyncio
import re
import sys
from argparse import ArgumentParser, Namespace
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final
from zoneinfo import ZoneInfo

from lycatra_appservice.cli.command import (
    Command,
    CommandError,
    add_config_argument,
    read_written_settings,
    refuse_shared_mount,
)
from lycatra_appservice.errors import SettingsError

_USUAL_ENTRIES: Final = 50
_SPAN: Final = re.compile(r"(\d{1,6})([mhdw])")
_MINUTES: Final = {"m": 1, "h": 60, "d": 24 * 60, "w": 7 * 24 * 60}


def _add_arguments(parser: ArgumentParser) -> None:
    add_config_argument(parser)
    parser.add_argument(
        "--since",
        metavar="WHEN",
        help="from when on: 30m, 2h, 7d, 4w, or a day or time such as 2026-11-01 or "
        "2026-11-01T08:00, in the configured time zone",
    )
    parser.add_argument("--person", metavar="WHO", help="@name:server, or @name of any server")
    parser.add_argument("--tool", metavar="NAME", help="list_updates or 'list updates'")
    parser.add_argument(
        "--limit",
        type=_entries,
        metavar="N",
        help=f"the last N entries, 0 for all; {_USUAL_ENTRIES} unless --json or --since is given",
    )
    parser.add_argument(
        "--json", action="store_true", help="an object for each line, the oldest first"
    )


def _run(arguments: Namespace) -> int:
    settings = read_written_settings(arguments)
    refuse_shared_mount(settings.database)
    file = settings.database.sqlite_file
    if file is not None and not file.exists():
        raise CommandError(f"there is no database yet at {file}")
    since = _moment(arguments.since, settings.zone) if arguments.since else None
    # Here, so that the other commands start without the drivers of both databases.
    from lycatra_appservice.cli.audit_export import Export, as_json, as_line, export

    wish = Export(
        person=arguments.person, tool=arguments.tool, since=since, limit=_limit(arguments)
    )
    line = as_json if arguments.json else partial(as_line, zone=settings.zone)
    try:
        found = asyncio.run(export(settings.database, wish, line, print))
        sys.stdout.flush()
        if not found:
            print("nothing found", file=sys.stderr)
    except BrokenPipeError:
        # Whoever reads has seen enough, as `head` does; Python must not try to flush again.
        with suppress(OSError):
            sys.stdout.close()
    return 0


def _limit(arguments: Namespace) -> int | None:
    limit: int | None = arguments.limit
    if limit is None and not arguments.json and not arguments.since:
        return _USUAL_ENTRIES
    return limit or None


def _moment(text: str, zone: ZoneInfo) -> datetime:
    """The moment that `--since` names. Raises SettingsError, which is exit code 2."""
    span = _SPAN.fullmatch(text.strip())
    try:
        if span is not None:
            return datetime.now(UTC) - timedelta(minutes=int(span[1]) * _MINUTES[span[2]])
        moment = datetime.fromisoformat(text.strip())
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)
    except (ValueError, OverflowError):
        raise SettingsError(
            [f"--since {text!r} should be like 30m, 2h, 7d, 4w, 2026-11-01 or 2026-11-01T08:00"]
        ) from None


def _entries(text: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise argparse.ArgumentTypeError(f"{text!r} should be a whole number, 0 or more")
    return int(text)


AUDIT = Command(
    name="audit",
    summary="Show who had what done; --json exports it, a line for each entry.",
    add_arguments=_add_arguments,
    run=_run,
)
