"""What an examination finds: how bad it is, what was seen, why it matters, what to change."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from lycatra_appservice import __version__

_INDENT = " " * 11


class Level(StrEnum):
    """How bad it is; only an error is a reason not to run."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The answer to one question. `check` is its stable name; no field holds a secret."""

    check: str
    level: Level
    what: str
    why: str | None = None
    fix: str | None = None  # the line or the file to change, or the command to type


def ok(check: str, what: str) -> Finding:
    """All is well."""
    return Finding(check=check, level=Level.OK, what=what)


def warning(check: str, what: str, *, why: str, fix: str) -> Finding:
    """It works, but not as well as it should."""
    return Finding(check=check, level=Level.WARNING, what=what, why=why, fix=fix)


def error(check: str, what: str, *, why: str, fix: str) -> Finding:
    """Something that people want does not work."""
    return Finding(check=check, level=Level.ERROR, what=what, why=why, fix=fix)


def skipped(check: str, why: str) -> Finding:
    """Not asked."""
    return Finding(check=check, level=Level.SKIPPED, what=why)


def masked(finding: Finding, mask: Callable[[str], str]) -> Finding:
    """The same without the secrets that `mask` knows; other programs' words may repeat one."""
    return replace(
        finding,
        what=mask(finding.what),
        why=mask(finding.why) if finding.why else None,
        fix=mask(finding.fix) if finding.fix else None,
    )


def has_errors(findings: Sequence[Finding]) -> bool:
    """Whether anything has to be repaired."""
    return any(finding.level is Level.ERROR for finding in findings)


def lines_of(finding: Finding) -> str:
    """For people: a line, with why and what to do below it when it is not well."""
    more = {"why: ": finding.why, "do:  ": finding.fix}
    below = [f"{_INDENT}{label}{text}" for label, text in more.items() if text]
    return "\n".join([f"{finding.level:<9}  {finding.check}: {finding.what}", *below])


def summary(findings: Sequence[Finding]) -> str:
    """How many errors and warnings, in a line."""
    counted = {level: sum(each.level is level for each in findings) for level in Level}
    errors, warnings = counted[Level.ERROR], counted[Level.WARNING]
    return f"{_count(errors, 'error')}, {_count(warnings, 'warning')}"


def as_json(findings: Sequence[Finding]) -> str:
    """For programs; `why` and `fix` are null where there is nothing to say."""
    shown = [
        {name: getattr(each, name) for name in ("check", "level", "what", "why", "fix")}
        for each in findings
    ]
    whole = {"version": __version__, "ok": not has_errors(findings), "findings": shown}
    return json.dumps(whole, indent=2, ensure_ascii=False)


def _count(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"
