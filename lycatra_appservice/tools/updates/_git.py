"""Reads tags and commits of a local git repository, without ever writing to it."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from lycatra_appservice.tools._process import Finished, minimal_environment, run_program
from lycatra_appservice.tools.updates._settings import GitSource
from lycatra_appservice.tools.updates._update import (
    Reading,
    SourceError,
    Update,
    clipped,
    read_when,
)

_NEWEST = 200  # of each, tags and commits
_MAX_BYTES = 1_000_000
_SEPARATOR = "\x1f"

_TAGS = (
    "for-each-ref",
    f"--count={_NEWEST}",
    "--sort=-creatordate",
    "--format=%(refname:short)%1f%(creatordate:iso-strict)%1f%(contents:subject)",
    "refs/tags",
)
_COMMITS = (
    "log",
    f"--max-count={_NEWEST}",
    "--no-show-signature",
    "--no-color",
    "--format=%h%x1f%cI%x1f%s",
)


async def read_git(source: GitSource, folder: Path, zone: ZoneInfo) -> Reading:
    """The newest tags and commits of the repository in `folder`.

    Raises SourceError when git or the repository is missing, TimeoutError.
    """
    repository = await asyncio.to_thread(_existing, folder)
    updates: list[Update] = []
    full = []
    for kind, arguments in (("tag", _TAGS), ("commit", _COMMITS)):
        if source.show not in (f"{kind}s", "both"):
            continue
        found = await _git(repository, arguments, timedelta(seconds=source.timeout_seconds))
        lines = _lines_of(found)
        updates += [_update(line, kind, source.default_service, zone) for line in lines]
        if len(lines) == _NEWEST:
            full.append(f"{kind}s")
    note = f"only the newest {_NEWEST} {' and '.join(full)} were read" if full else None
    return Reading(updates=updates, note=note)


def _existing(folder: Path) -> Path:
    if not folder.is_dir():
        raise SourceError("the folder of its repository is missing", detail=str(folder))
    return folder.resolve()


async def _git(folder: Path, arguments: Sequence[str], at_most: timedelta) -> Finished:
    environment = {
        **minimal_environment(),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",  # reading must not write to somebody else's repository
        # Without this, a folder that is no repository would show one that it happens to lie in.
        "GIT_CEILING_DIRECTORIES": str(folder.parent),
    }
    # The operator named this folder; in a container its files often belong to another user.
    argv = ("git", "--no-pager", "-c", "safe.directory=*", *arguments)
    try:
        return await run_program(
            argv,
            folder=folder,
            environment=environment,
            at_most=at_most,
            max_bytes=_MAX_BYTES,
        )
    except OSError as exc:
        raise SourceError("the program git cannot be started on this machine") from exc


def _lines_of(found: Finished) -> list[str]:
    errors = found.errors.decode(errors="replace")
    if found.exit_code == 0:
        return found.output.decode(errors="replace").splitlines()
    if "does not have any commits yet" in errors:
        return []
    if "not a git repository" in errors:
        raise SourceError("its folder is no git repository")
    raise SourceError("git could not read its repository", detail=errors[:500])


def _update(line: str, kind: str, service: str, zone: ZoneInfo) -> Update:
    name, _, rest = line.partition(_SEPARATOR)
    when, _, subject = rest.partition(_SEPARATOR)
    return Update(
        service=service,
        kind=kind,
        version=clipped(name),
        title=clipped(subject),
        when=read_when(when, zone),
    )
