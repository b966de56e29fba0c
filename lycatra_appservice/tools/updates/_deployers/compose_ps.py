"""Reads what `docker compose ps --format json` writes; pure."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from lycatra_appservice.toolkit.base import JSON
from lycatra_appservice.tools.updates._deployers.port import Changed, DeployError, Running
from lycatra_appservice.tools.updates._versions import tag_of

_FOLDER_LABEL: Final = "com.docker.compose.project.working_dir"


def records_of(text: str) -> Sequence[Mapping[str, JSON]]:
    """A list, or from newer versions of compose an object a line. Raises DeployError."""
    try:
        found = json.loads(text) if text.lstrip().startswith("[") else _of_lines(text)
    except (ValueError, RecursionError) as exc:
        said = "`docker compose ps` gave no valid answer."
        raise DeployError(said, Changed.NOTHING) from exc
    return [each for each in found if isinstance(each, dict)]


def _of_lines(text: str) -> list[JSON]:
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def made_in(record: Mapping[str, JSON]) -> Path | None:
    """The folder whose compose file a container was made by, where compose tells it."""
    for label in str(record.get("Labels") or "").split(","):
        name, _, value = label.partition("=")
        if name == _FOLDER_LABEL and value:
            return Path(value)
    return None


def running_of(records: Sequence[Mapping[str, JSON]]) -> Running:
    """How a service is: its tag, where all its containers have the same one."""
    if not records:
        return Running(version=None, ok=False, detail="not there")
    tags = {tag_of(str(each.get("Image", ""))) for each in records}
    states = [_state(each) for each in records]
    return Running(
        version=tags.pop() if len(tags) == 1 else None,
        ok=all(state in ("running", "running, healthy") for state in states),
        detail="; ".join(states[:10]),
        is_over=all(state.startswith(("exited", "dead")) for state in states),
    )


def _state(record: Mapping[str, JSON]) -> str:
    state, health = str(record.get("State", "unknown")), record.get("Health")
    if state in ("exited", "dead"):
        return f"{state} with code {record.get('ExitCode', '?')}"
    return f"{state}, {health}" if health else state
