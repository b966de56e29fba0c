"""One release in the one form that polls and hooks bring it into."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from lycatra_appservice.toolkit.base import JSON
from lycatra_appservice.tools.updates._records import lines_of
from lycatra_appservice.tools.updates._update import clipped, read_when
from lycatra_appservice.tools.updates._version_order import plain

_UTC: Final = ZoneInfo("UTC")
_LONGEST_NAME: Final = 120
_LONGEST_URL: Final = 500
_NOT_IN_A_LINK: Final = frozenset(" <>\"'`\\|")
_MOST_NOTES: Final = 8  # lines; who wants more follows the link
_LONGEST_NOTE: Final = 160
_LONGEST_TIME: Final = 40
# As JSON, in which a sign may take twelve: so that one release always fits into a value.
_NOTES_BYTES: Final = 3000


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A version that was published; `version` is empty where only a title tells of it.

    `name` tells it from all others of its service, whoever tells of it. `when` is ISO 8601, or
    empty.
    """

    name: str
    version: str
    title: str = ""
    notes: Sequence[str] = ()
    more_notes: int = 0
    url: str | None = None
    when: str = ""
    digest: str = ""

    def to_json(self) -> dict[str, JSON]:
        """As it is kept; what is empty is left out."""
        values: dict[str, JSON] = {
            "name": self.name,
            "version": self.version,
            "title": self.title,
            "notes": list(self.notes),
            "more_notes": self.more_notes,
            "url": self.url,
            "when": self.when,
            "digest": self.digest,
        }
        return {key: value for key, value in values.items() if value}

    @classmethod
    def from_json(cls, kept: Mapping[str, JSON]) -> "Release":
        """The release that `to_json` made this of."""
        return replace(
            cls(name=kept["name"], version=kept.get("version", "")),
            title=kept.get("title", ""),
            notes=tuple(kept.get("notes", ())),
            more_notes=kept.get("more_notes", 0),
            url=kept.get("url"),
            when=kept.get("when", ""),
            digest=kept.get("digest", ""),
        )


def release(
    version: str,
    *,
    title: JSON = "",
    notes: JSON = "",
    url: JSON = None,
    when: JSON = "",
    name: str = "",
    digest: str = "",
) -> Release:
    """Make one of what somebody else has written: short, on one line, of what can be shown.

    `name` is for what has no version; that must not be empty as well.
    """
    version = _shown(version)[:_LONGEST_NAME]
    said = _shown(title) if isinstance(title, str) else ""
    lines = [line for each in lines_of(notes) if (line := _shown(each))]
    shown = _first_of(lines)
    return Release(
        name=_name(plain(version) or name),
        version=version,
        title="" if said in (version, plain(version)) else clipped(said),
        notes=shown,
        more_notes=len(lines) - len(shown),
        url=_web(url),
        when=when if isinstance(when, str) and len(when) <= _LONGEST_TIME else "",
        digest=digest,
    )


def moment_of(when: str) -> int | None:
    """Seconds since 1970; None for what is no time."""
    found = read_when(when, _UTC) if when else None
    return int(found.moment.timestamp()) if found else None


def _name(text: str) -> str:
    if len(text) <= _LONGEST_NAME and text.isprintable():
        return text
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:32]


def _shown(text: str) -> str:
    """On one line, without what cannot be seen."""
    line = " ".join(text.split())
    return "".join(each for each in line if each.isprintable())


def _first_of(lines: Sequence[str]) -> tuple[str, ...]:
    kept: list[str] = []
    for line in map(_short, lines[:_MOST_NOTES]):
        if len(json.dumps([*kept, line])) > _NOTES_BYTES:
            break
        kept.append(line)
    return tuple(kept)


def _short(line: str) -> str:
    return line if len(line) <= _LONGEST_NOTE else f"{line[:_LONGEST_NOTE]}…"


def _web(url: JSON) -> str | None:
    """An address that can be shown as a link, else None."""
    if not isinstance(url, str) or len(url) > _LONGEST_URL or not url.isascii():
        return None
    if not url.isprintable() or set(url) & _NOT_IN_A_LINK:
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return url if parts.scheme in ("http", "https") and parts.hostname else None
