"""One run of the public suite against a server, and what its checks came to."""

import asyncio
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conformance.install import HERE, SUITE, node

BASELINE = HERE / "baseline.yml"
_FOLDER = re.compile(r"server-(.+)-\d{4}-\d\d-\d\dT[\d-]+Z")
_ENTRY = re.compile(r"^\s+- ([\w-]+)$", re.MULTILINE)
_PATIENCE = 120  # seconds; a leg takes about three


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """Arguments for the suite, and how many checks pass: the version is pinned."""

    name: str
    arguments: Sequence[str]
    passes: int
    excused: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """`failed` are the checks that no baseline excuses, `exit_code` is the suite's own verdict."""

    leg: Leg
    passed: int
    failed: Sequence[str]
    exit_code: int
    printed: str

    def line(self) -> str:
        """The leg, passed, failed."""
        return f"{self.leg.name} {self.passed} {len(self.failed)}"

    def trouble(self) -> str | None:
        """Why the leg is not green."""
        if self.failed:
            return "\n".join(self.failed)
        if self.exit_code != 0:
            return self.printed
        if self.passed < self.leg.passes:
            return f"{self.passed} checks passed, there should be {self.leg.passes}"
        return None


def legs() -> Sequence[Leg]:
    """All that `make test` runs."""
    return (
        _of_revision("2025-06-18", 56),
        _of_revision("2025-11-25", 80),
        _of_revision("2026-07-28", 152),
        Leg(
            name="all",
            arguments=("--expected-failures", str(BASELINE)),
            passes=202,
            excused=frozenset(_ENTRY.findall(BASELINE.read_text())),
        ),
    )


async def run_leg(leg: Leg, url: str, folder: Path) -> Outcome:
    """Run it against a server; `folder` is empty and takes the suite's results."""
    process = await asyncio.create_subprocess_exec(
        str(node()),
        str(SUITE),
        *("server", "--url", url, "--suite", "all", "-o", str(folder), *leg.arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(_PATIENCE):
            printed, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    checks = list(_checks(folder))
    return Outcome(
        leg=leg,
        passed=sum(check["status"] == "SUCCESS" for _, check in checks),
        failed=[
            f"{scenario}: {check['id']}: {check.get('errorMessage')}"
            for scenario, check in checks
            if check["status"] == "FAILURE" and scenario not in leg.excused
        ],
        exit_code=process.returncode or 0,
        printed=printed.decode(errors="replace"),
    )


def _of_revision(revision: str, passes: int) -> Leg:
    return Leg(name=revision, arguments=("--spec-version", revision), passes=passes)


def _checks(folder: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for file in sorted(folder.glob("*/checks.json")):
        named = _FOLDER.fullmatch(file.parent.name)
        for check in json.loads(file.read_text()):
            yield named[1] if named else file.parent.name, check
