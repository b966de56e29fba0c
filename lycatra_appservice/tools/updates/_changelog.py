"""Reads changelogs in the format of Keep a Changelog, and the usual variations of it."""

import re
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

from lycatra_appservice.tools.updates._update import (
    Reading,
    Update,
    clipped,
    clipped_changes,
    read_when,
)

_VERSION = re.compile(
    r"##\s+(?:version\s+|release\s+)?"
    r"(?:\[(?P<linked>[^\]]+)\](?:\((?P<url>[^)\s]+)\))?|(?P<plain>[^\s(]+))(?P<rest>.*)",
    re.IGNORECASE,
)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_SECTION = re.compile(r"###+\s+(.+)")
_BULLET = re.compile(r"\s*[-*+]\s+(.+)")
_LINK = re.compile(r"\[([^\]]+)\]:\s*(\S+)")


def own_changelog() -> Path:
    """Lycatra's changelog: beside the package's files when installed, else that of the checkout.

    The path may not exist.
    """
    package = Path(__file__).parents[2]
    installed = package / "CHANGELOG.md"
    return installed if installed.exists() else package.parent / "CHANGELOG.md"


def read_changelog(text: str, service: str, zone: ZoneInfo) -> Reading:
    """All versions of a changelog, in the order of the file; empty sections are left out."""
    links = {label.casefold(): url for label, url in map(_groups, _LINK.finditer(text))}
    updates = [
        update
        for heading, body in _versions(text)
        if (update := _update(heading, body, service, zone, links)) is not None
    ]
    if not updates:
        return Reading(updates=(), note="no version headings (`## [1.0.0] - 2026-01-31`) in it")
    return Reading(updates=updates)


def _groups(match: re.Match[str]) -> tuple[str, str]:
    return match[1], match[2]


def _versions(text: str) -> Iterator[tuple[re.Match[str], list[str]]]:
    heading: re.Match[str] | None = None
    body: list[str] = []
    for line in text.splitlines():
        if not line.startswith("## "):
            body.append(line)
            continue
        if heading:
            yield heading, body
        heading, body = _VERSION.match(line), []
    if heading:
        yield heading, body


def _update(
    heading: re.Match[str], body: list[str], service: str, zone: ZoneInfo, links: dict[str, str]
) -> Update | None:
    label = heading["linked"] or heading["plain"]
    unreleased = label.casefold() == "unreleased"
    if not unreleased and not any(character.isdigit() for character in label):
        return None  # a chapter such as "## Notes"
    day = _DAY.search(heading["rest"]) or _DAY.fullmatch(label)
    title, changes = _contents(body)
    if unreleased and not title and not changes:
        return None
    if "[yanked]" in heading["rest"].casefold():
        title = f"Withdrawn. {title}".strip()
    return Update(
        service=service,
        kind="unreleased" if unreleased else "release",
        version=None if unreleased or _DAY.fullmatch(label) else clipped(label),
        title="Not released yet" if unreleased and not title else clipped(title),
        when=read_when(day[0], zone) if day else None,
        changes=clipped_changes(changes),
        url=heading["url"] or links.get(label.casefold()),
    )


def _contents(body: list[str]) -> tuple[str, list[str]]:
    """The text before the first list, and each change with the name of its section."""
    section, text = "", ""
    changes: list[str] = []
    for line in body:
        if heading := _SECTION.match(line):
            section = f"{heading[1].strip()}: "
        elif line.startswith((" ", "\t")) and changes and line.strip():
            changes[-1] += f" {line.strip()}"
        elif bullet := _BULLET.match(line):
            changes.append(f"{section}{bullet[1].strip()}")
        elif line.strip() and not changes and not section and not _LINK.match(line):
            text = f"{text} {line.strip()}".strip()
    return text, changes
