"""Whether the tools of one's own work."""

import logging
from collections.abc import Mapping, Sequence
from typing import Final

from lycatra_appservice.doctor.findings import Finding, ok, warning
from lycatra_appservice.errors import ToolFailedError
from lycatra_appservice.settings import ToolDatabase
from lycatra_appservice.toolkit.databases import Databases
from lycatra_appservice.toolkit.own.found import FoundTools
from lycatra_appservice.toolkit.queries import ReadOnlyDatabase

_CHECK: Final = "tools"
_UNHEARD: Final = logging.Logger("doctor", logging.CRITICAL)  # what fails becomes a finding


def judge_tools(tools: FoundTools) -> Sequence[Finding]:
    """One finding for each that is disabled, else one for all."""
    if not tools.problems:
        own = f", {len(tools.origins)} of them your own" if tools.origins else ""
        return [ok(_CHECK, f"{len(tools.registry.tools)} work{own}")]
    return [
        warning(
            _CHECK,
            f"{each.disabled} is disabled: {each.reason}",
            why="everything else works without it",
            fix=f"{each.where}; `lycatra tool lint` looks again; then restart Lycatra",
        )
        for each in tools.problems
    ]


async def check_tool_databases(sections: Mapping[str, ToolDatabase]) -> Sequence[Finding]:
    """Whether each database that tools may read answers."""
    databases = Databases(sections)
    try:
        open_database = databases.opener(_UNHEARD)
        return [
            await _answers(name, open_database(name), is_file=section.sqlite_file is not None)
            for name, section in sorted(sections.items())
        ]
    finally:
        await databases.close()


async def _answers(name: str, database: ReadOnlyDatabase, *, is_file: bool) -> Finding:
    check = f"databases.{name}"
    try:
        # SQLite does not look into the file for less.
        if is_file:
            await database.fetch_one("SELECT count(*) AS tables FROM sqlite_master")
        else:
            await database.fetch_one("SELECT 1 AS one")
    except ToolFailedError as failed:
        return warning(
            check,
            f"{failed.user_message} ({failed.__cause__})",
            why="tools that read it have no answer",
            fix=f"databases.{name}.url: where it is, and a role that may read it",
        )
    return ok(check, "it answers")
