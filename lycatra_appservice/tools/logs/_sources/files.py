"""Reads files and folders of files, with what was rotated out of them."""

import heapq
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

from lycatra_appservice.tools.logs._grouping import grouped
from lycatra_appservice.tools.logs._settings import FileSource, FolderSource
from lycatra_appservice.tools.logs._sources.backwards import (
    Allowance,
    LeadsOutsideError,
    NoTextError,
    TooLongError,
    lines_of,
    opened,
)
from lycatra_appservice.tools.logs._sources.reading import (
    MOST_BYTES,
    Place,
    Reading,
    SourceError,
)
from lycatra_appservice.tools.logs._wanted import Found, Wanted, chosen

_MOST_FILES: Final = 500  # of a folder, the newest
_MOST_LOOKED_AT: Final = 20_000  # names in a folder
_ROTATED: Final = re.compile(r"(?:[.-]\d[\d-]*)?(?P<packed>\.gz)?$")
_BEFORE_ALL: Final = datetime.min.replace(tzinfo=UTC)
_UNREADABLE: Final = (OSError, LeadsOutsideError, NoTextError, TooLongError)
_NAMED: Final = 3  # files with a problem


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    path: Path
    label: str  # within its source, for people
    changed: datetime


def read_file(source: FileSource, place: Place, wanted: Wanted) -> Reading:
    """The newest entries of a file and those before it. Raises SourceError."""
    path = place.folder / source.path
    try:
        within = path.resolve(strict=True).parent
        files = [_seen(path, "")]
        with os.scandir(within) as beside:
            names = [each.name for each in beside if _is_rotated(each.name, path.resolve().name)]
    except FileNotFoundError as exc:
        raise SourceError("its file is missing", detail=str(path)) from exc
    except OSError as exc:
        raise SourceError(f"its file {_why(exc)}", detail=f"{path}: {exc.strerror}") from exc
    files += _all_seen(within, names)
    return _read(files, None if len(files) == 1 else within, place, wanted, must_open=path)


def read_folder(source: FolderSource, place: Place, wanted: Wanted) -> Reading:
    """The newest entries of all its files. Raises SourceError."""
    folder = place.folder / source.path
    try:
        within = folder.resolve(strict=True)
        with os.scandir(within):
            pass  # or os.walk would just find nothing
    except FileNotFoundError as exc:
        raise SourceError("its folder is missing", detail=str(folder)) from exc
    except OSError as exc:
        raise SourceError(f"its folder {_why(exc)}", detail=f"{folder}: {exc.strerror}") from exc
    names = list(_names_below(within, source.glob))
    files = _all_seen(within, names)
    if not files:
        raise SourceError(f"no file in its folder is called `{source.glob}`")
    return _read(files, within, place, wanted)


def _is_rotated(name: str, of: str) -> bool:
    return name != of and name.startswith(of) and bool(_ROTATED.fullmatch(name[len(of) :]))


def _names_below(folder: Path, glob: str) -> Iterator[str]:
    looked_at = 0
    for above, folders, names in os.walk(folder):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        for name in sorted(names):
            if fnmatch(name, glob) or fnmatch(_ROTATED.sub("", name), glob):
                yield str((Path(above) / name).relative_to(folder))
        looked_at += len(names)
        if looked_at > _MOST_LOOKED_AT:
            return


def _seen(path: Path, label: str) -> _File:
    changed = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    return _File(path=path, label=label, changed=changed)


def _all_seen(within: Path, names: Sequence[str]) -> list[_File]:
    """Those that are still there."""
    seen: list[_File] = []
    for name in names:
        try:
            seen.append(_seen(within / name, name))
        except OSError:
            continue  # rotated away just now, or a link to nowhere
    return seen


def _read(
    files: Sequence[_File],
    within: Path | None,
    place: Place,
    wanted: Wanted,
    must_open: Path | None = None,
) -> Reading:
    """The newest first; what has not been written to since is not opened."""
    allowance = Allowance(bytes_left=MOST_BYTES, deadline=place.deadline)
    newest = sorted(files, key=lambda each: each.changed, reverse=True)
    recent = [each for each in newest if each.changed >= wanted.since]
    found: list[Found] = []
    unread: list[tuple[str, str]] = []  # why, and which
    late = 0
    for number, file in enumerate(recent[:_MOST_FILES]):
        if allowance.is_spent:
            late = len(recent) - number
            break
        try:
            is_asked_for = file.path == must_open
            found += _of_file(file, None if is_asked_for else within, place, wanted, allowance)
        except FileNotFoundError:
            continue  # rotated away just now: what it held is in the next one
        except _UNREADABLE as exc:
            if file.path == must_open:
                detail = f"{file.path}: {exc}"
                raise SourceError(f"its file {_why(exc)}", detail=detail) from exc
            unread.append((_why(exc), file.label))
    best = heapq.nlargest(wanted.most, found, key=lambda each: each.entry.when or _BEFORE_ALL)
    return Reading(found=best, notes=[*_told(unread, late, allowance)])


def _of_file(
    file: _File, within: Path | None, place: Place, wanted: Wanted, allowance: Allowance
) -> list[Found]:
    with opened(file.path, within) as opened_file:
        lines = lines_of(opened_file, allowance, packed=file.path.suffix == ".gz")
        entries = (replace(place.read(line), place=file.label) for line in lines)
        return chosen(grouped(entries), wanted)


def _why(error: Exception) -> str:
    """Behind the name of a file or folder."""
    match error:
        case PermissionError():
            return "may not be read by the user that I run as"
        case LeadsOutsideError():
            return "leads out of its folder, or is no plain file"
        case NoTextError():
            return "holds no text"
        case TooLongError():
            return "is too long to be unpacked"
        case _:
            return "cannot be read"


def _told(unread: Sequence[tuple[str, str]], late: int, allowance: Allowance) -> Iterator[str]:
    for why in sorted({why for why, _ in unread}):
        labels = [label for each, label in unread if each == why]
        names = ", ".join(f"`{each}`" for each in labels[:_NAMED])
        more = f" and {len(labels) - _NAMED} more: each" if len(labels) > _NAMED else ""
        yield f"{names}{more} {why}"
    if allowance.is_spent:
        older = ", and of older files nothing" if late else ""
        yield f"it is so long that only its newest part was read{older}"
