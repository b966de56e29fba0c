"""What a run leaves behind: a JSON file with every raw round, and a picture of the goals."""

import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import import_module, metadata, util
from pathlib import Path
from shutil import which
from typing import Any, Final

from benchmarks.measuring import Figure, Goal
from benchmarks.question import REPOSITORY
from lycatra_appservice.model import JSON

RESULTS: Final = REPOSITORY / "benchmarks" / "results"
_PACKAGES: Final = (
    "aiohttp",
    "asyncpg",
    "langchain",
    "langgraph",
    "mautrix",
    "openai",
    "openai-agents",
    "procrastinate",
    "psycopg",
    "pydantic-ai-slim",
)
_MARKS: Final = (0.25, 0.5, 1, 2, 4)
_COLOURS: Final = {"ok": "tab:green", "short": "tab:red"}


def surroundings(postgres: Mapping[str, str]) -> dict[str, JSON]:
    """What else decides about figures; said before and written with them."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "python": platform.python_version(),
        "system": platform.platform(),
        "cpus": os.cpu_count(),
        "load": list(os.getloadavg()),
        "postgres": dict(postgres),
        "packages": {name: _version(name) for name in _PACKAGES},
    }


def write_json(path: Path, about: Mapping[str, JSON], figures: Sequence[Figure]) -> None:
    """Write all that was measured; makes the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {**about, "figures": [_as_json(figure) for figure in figures]}
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def draw(path: Path, figures: Sequence[Figure]) -> bool:
    """Draw how far each figure with a goal is from it; False when there is nothing to draw with.

    One scale for all: 1 is the goal, more is better, whichever direction the goal has.
    """
    shown = [(figure, goal) for figure in figures if (goal := figure.goal) is not None]
    if not shown or util.find_spec("matplotlib") is None:
        return False
    # By name: it is installed for benchmarks only, and the type checker runs without.
    matplotlib: Any = import_module("matplotlib")
    matplotlib.use("Agg")
    pyplot: Any = import_module("matplotlib.pyplot")
    picture, axes = pyplot.subplots(figsize=(9, 1 + 0.45 * len(shown)), layout="constrained")
    for row, (figure, goal) in enumerate(reversed(shown)):
        colour = _COLOURS[figure.verdict]
        rounds = [_margin(value, goal) for value in figure.rounds]
        axes.scatter(rounds, [row] * len(rounds), s=12, alpha=0.35, color=colour)
        axes.scatter([_margin(figure.value, goal)], [row], marker="D", s=45, color=colour)
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xscale("log")
    axes.set_xticks(_MARKS, [f"{mark:g}" for mark in _MARKS])
    axes.minorticks_off()
    axes.set_yticks(range(len(shown)), [_label(*each) for each in reversed(shown)])
    axes.set_xlabel("distance from the goal: right of 1 is met; dots are rounds, diamonds medians")
    picture.savefig(path, dpi=120)
    pyplot.close(picture)
    return True


def _margin(value: float, goal: Goal) -> float:
    least = max(value, 1e-9)  # a logarithmic scale has no zero
    if goal.has_least and goal.has_most:
        return 1.0 if goal.is_met(value) else min(least / goal.most, goal.least / least)
    return least / goal.least if goal.has_least else goal.most / least


def _label(figure: Figure, goal: Goal) -> str:
    return f"{figure.name} {figure.value:.3g} {figure.unit} ({goal.text})"


def _as_json(figure: Figure) -> dict[str, JSON]:
    return {
        "name": figure.name,
        "value": figure.value,
        "unit": figure.unit,
        "goal": figure.goal.text if figure.goal else None,
        "verdict": figure.verdict,
        "spread": list(figure.spread),
        "rounds": list(figure.rounds),
        "raw": {name: list(rounds) for name, rounds in figure.raw.items()},
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _commit() -> str | None:
    git = which("git")
    if git is None:
        return None
    command = [git, "-C", str(REPOSITORY), "describe", "--always", "--dirty"]
    answer = subprocess.run(command, check=False, capture_output=True, text=True)
    return answer.stdout.strip() or None
