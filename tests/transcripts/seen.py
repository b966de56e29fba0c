"""Writes what a model did into the files of the transcripts, beside what is expected of it.

By lines and not by a YAML writer, so that nothing else of a file moves.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML

from tests.transcripts.playing import Played

_KEY: Final = "  seen:"
_BEGIN: Final = "- name: "


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One play of one transcript, and what is wrong with it."""

    played: Played
    differences: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """As a file keeps it; `wrong` only where something is."""
        calls = [
            {"call": each.tool, "with": dict(each.arguments)}
            | ({"mistake": each.mistake} if each.mistake else {})
            for each in self.played.made
        ]
        kept = {"calls": calls, "answer": self.played.answer}
        return {**kept, "wrong": list(self.differences)} if self.differences else kept


def write_seen(folder: Path, model: str, seen: Mapping[str, Seen]) -> None:
    """Put each play under `seen.<model>` of its transcript, in place of an earlier one."""
    for file in sorted(folder.glob("*.yaml")):
        text = file.read_text("utf-8")
        known = {
            entry["name"]: {**entry.get("seen", {}), model: seen[entry["name"]].as_json()}
            for entry in YAML(typ="safe", pure=True).load(text) or []
            if entry["name"] in seen
        }
        if known:
            file.write_text(_with_seen(text, known), encoding="utf-8")


def _with_seen(text: str, known: Mapping[str, Mapping[str, Any]]) -> str:
    begin, *entries = f"\n{text}".split(f"\n{_BEGIN}")
    written = [begin]
    for entry in entries:
        name = entry.partition("\n")[0].strip()
        written.append(_entry(entry, known[name]) if name in known else entry)
    return f"\n{_BEGIN}".join(written).removeprefix("\n")


def _entry(entry: str, seen: Mapping[str, Any]) -> str:
    lines = _without_seen(entry.splitlines())
    behind = list(takewhile(lambda line: not line.startswith("  "), reversed(lines)))
    own = lines[: len(lines) - len(behind)]
    # JSON is YAML, and fits on one line.
    block = [f"    {json.dumps(m)}: {json.dumps(s, ensure_ascii=False)}" for m, s in seen.items()]
    end = "\n" if entry.endswith("\n") or not behind else ""
    return "\n".join([*own, _KEY, *block, *reversed(behind)]) + end


def _without_seen(lines: Sequence[str]) -> list[str]:
    if _KEY not in lines:
        return list(lines)
    start = lines.index(_KEY)
    inside = list(takewhile(lambda line: line.startswith("   "), lines[start + 1 :]))
    return [*lines[:start], *lines[start + 1 + len(inside) :]]
