"""A lesson of the documentation, done word for word."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import lycatra_appservice

DOCS = Path(lycatra_appservice.__file__).parents[1] / "docs"

_BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
_NAMED = re.compile(r"`([\w./-]+\.(?:py|yaml))`[^`]*\Z")
_PROGRAMS: Mapping[str, list[str]] = {
    "lycatra": [sys.executable, "-m", "lycatra_appservice"],
    "python3": [sys.executable],
}


@dataclass(frozen=True, slots=True)
class Block:
    """A block of code; `name` is the last file that the words above it name."""

    kind: str
    text: str
    name: str | None


@dataclass(frozen=True, slots=True)
class Done:
    """What came of the last line of a block of commands."""

    command: str
    code: int
    out: str
    err: str


def blocks_of(page: str, heading: str) -> Iterator[Block]:
    """All blocks below a heading, in order."""
    text = (DOCS / page).read_text("utf-8")
    _, _, lesson = text.partition(f"## {heading}")
    assert lesson, f"{page} has no {heading}"
    lesson = re.split(r"^## ", lesson, maxsplit=1, flags=re.MULTILINE)[0]
    end = 0
    for found in _BLOCK.finditer(lesson):
        named = _NAMED.search(lesson[end : found.start()])
        yield Block(found[1], found[2], named[1] if named else None)
        end = found.end()


def follow(page: str, heading: str, folder: Path) -> list[Done]:
    """Write every file, run every command, compare what is shown; returns all commands run."""
    done: list[Done] = []
    for block in blocks_of(page, heading):
        match block.kind:
            case "python":
                assert block.name is not None, f"which file is this?\n{block.text}"
                (folder / block.name).write_text(block.text, "utf-8")
            case "yaml":
                assert block.name == "config.yaml"
                with (folder / "config.yaml").open("a", encoding="utf-8") as config:
                    config.write(block.text)
            case "sh":
                done += [_run(line, folder) for line in block.text.splitlines()]
            case "text":
                assert done[-1].out == block.text, done[-1]
            case _:
                raise AssertionError(f"a reader cannot follow a block of {block.kind}")
    return done


def _run(line: str, folder: Path) -> Done:
    program, *words = line.split()
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("LYCATRA_")
    }
    ran = subprocess.run(
        [*_PROGRAMS[program], *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return Done(line, ran.returncode, ran.stdout, ran.stderr)
