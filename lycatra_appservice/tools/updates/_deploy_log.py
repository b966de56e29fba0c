"""Reads a deploy log: a file with one JSON object a line, the newest at the end."""

import json
from zoneinfo import ZoneInfo

from lycatra_appservice.tools.updates._records import update_of
from lycatra_appservice.tools.updates._settings import DeployLogSource
from lycatra_appservice.tools.updates._update import Reading, Update

_LONGEST_LINE = 65_536  # deep JSON in a longer one could exhaust the parser's stack


def read_deploy_log(text: str, source: DeployLogSource, zone: ZoneInfo) -> Reading:
    """Every line that tells of a deployment; the others are counted in the note."""
    updates: list[Update] = []
    bad = 0
    for line in filter(str.strip, text.splitlines()):
        update = _update(line, source, zone)
        if update is None:
            bad += 1
        else:
            updates.append(update)
    return Reading(updates=updates, note=f"{_lines(bad)} could not be read" if bad else None)


def _update(line: str, source: DeployLogSource, zone: ZoneInfo) -> Update | None:
    if len(line) > _LONGEST_LINE:
        return None
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return update_of(
        record, source.fields, service=source.default_service, kind="deployment", zone=zone
    )


def _lines(count: int) -> str:
    return "1 line" if count == 1 else f"{count} lines"
