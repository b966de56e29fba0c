"""Which Synapse answers, and whether we have been tried with it."""

import re
from dataclasses import dataclass
from typing import Final, TypeAlias

import aiohttp

from lycatra_appservice.doctor.address import Seen
from lycatra_appservice.doctor.findings import Finding, error, ok, warning

Version: TypeAlias = tuple[int, int]

# The first that takes `device_id` from an application service: without it Synapse forgets our
# transaction ids when it restarts, and a repeated send becomes a second message.
OLDEST: Final[Version] = (1, 141)
NEWEST_TRIED: Final[Version] = (1, 163)

_CHECK: Final = "homeserver.version"
_SYNAPSE: Final = re.compile(r"Synapse/(\d+)\.(\d+)")
_NUMBER: Final = re.compile(r"(\d+)\.(\d+)")
_PATIENCE: Final = aiohttp.ClientTimeout(total=5)


@dataclass(frozen=True, slots=True)
class Software:
    """What runs there; the version is None if it is not Synapse's, or not told."""

    name: str
    version: Version | None


async def which_software(session: aiohttp.ClientSession, seen: Seen) -> Software:
    """Find out; a proxy in front may hide one or the other place where Synapse says it."""
    if match := _SYNAPSE.search(seen.server):
        return Software("Synapse", (int(match[1]), int(match[2])))
    told = await _told(session, f"{seen.url}/_synapse/admin/v1/server_version")
    if match := _NUMBER.match(str(told.get("server_version", ""))):
        return Software("Synapse", (int(match[1]), int(match[2])))
    server = (await _told(session, f"{seen.url}/_matrix/federation/v1/version")).get("server")
    if not isinstance(server, dict):
        return Software("", None)
    name, match = str(server.get("name", "")), _NUMBER.match(str(server.get("version", "")))
    known = match is not None and name == "Synapse"
    return Software(name, (int(match[1]), int(match[2])) if match and known else None)


def judge_version(software: Software) -> Finding:
    """Hold it against the supported range."""
    tried = f"{_shown(OLDEST)} to {_shown(NEWEST_TRIED)}"
    if software.version is None:
        return _unknown(software.name, tried)
    found = f"Synapse {_shown(software.version)}"
    if software.version < OLDEST:
        return error(
            _CHECK,
            f"{found} is too old: {_shown(OLDEST)} is the first that is supported",
            why="it ignores device_id, so an answer may appear twice after it was restarted",
            fix=f"upgrade Synapse to {_shown(OLDEST)} or newer",
        )
    if software.version[0] > NEWEST_TRIED[0]:
        return warning(
            _CHECK,
            f"{found} is of a newer generation than those tried ({tried})",
            why="something that Lycatra relies on may be different there",
            fix="look whether a newer Lycatra knows it",
        )
    newer = software.version > NEWEST_TRIED
    return ok(_CHECK, f"{found}, newer than those tried ({tried})" if newer else found)


def _unknown(name: str, tried: str) -> Finding:
    if name and name != "Synapse":
        return warning(
            _CHECK,
            f"this is {name}, and Lycatra is made for Synapse",
            why="parts that differ between homeservers have never been tried with it",
            fix=f"use Synapse {tried}",
        )
    return warning(
        _CHECK,
        "the homeserver does not tell its version",
        why=f"only Synapse {tried} is tried",
        fix="compare it yourself: `python -m synapse.app.homeserver --version`, "
        "or the tag of its image",
    )


async def _told(session: aiohttp.ClientSession, url: str) -> dict[str, object]:
    try:
        async with session.get(url, timeout=_PATIENCE, allow_redirects=False) as answer:
            body = await answer.json(content_type=None) if answer.status == 200 else None
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return {}
    return body if isinstance(body, dict) else {}


def _shown(version: Version) -> str:
    return f"{version[0]}.{version[1]}"
