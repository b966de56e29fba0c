"""Files that hold secrets: written whole or not at all, and never readable by others meanwhile."""

import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path

from lycatra_appservice.errors import LycatraError

_PRIVATE_FILE = 0o600
_PRIVATE_FOLDER = 0o700
_GROUP_MAY_READ = 0o040
_GROUP_MAY_ENTER = 0o050


class UnwritableFileError(LycatraError):
    """A file could not be written; what was there before is unchanged."""

    said = "A file could not be written."


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Numeric user and group that a file belongs to."""

    uid: int
    gid: int


def write_private(
    path: Path, text: str, *, mode: int | None = None, owner: Owner | None = None
) -> None:
    """Replace a file atomically, or make it, with its folder if need be.

    Without `mode` or `owner` an existing file keeps its own, and a new one is readable by nobody
    else. A folder made here opens to the group as far as the file does, and gets the same owner.
    Raises UnwritableFileError.
    """
    target = path.resolve()
    try:
        _make_folder(target.parent, _PRIVATE_FOLDER | _group_may_enter(mode), owner)
        if target.exists():
            before = target.stat()
            mode = stat.S_IMODE(before.st_mode) if mode is None else mode
            owner = owner or Owner(uid=before.st_uid, gid=before.st_gid)
        _replace(target, text.encode(), _PRIVATE_FILE if mode is None else mode, owner)
    except OSError as error:
        raise UnwritableFileError(f"cannot write {path}: {error.strerror}") from error


def has_mode(path: Path, mode: int | None, owner: Owner | None) -> bool:
    """Whether an existing file already has the wanted mode and owner; None wants nothing."""
    now = path.stat()
    return (mode is None or stat.S_IMODE(now.st_mode) == mode) and (
        owner is None or (now.st_uid, now.st_gid) == (owner.uid, owner.gid)
    )


def make_private_folder(folder: Path) -> None:
    """Make a folder that nobody else may enter; one that exists stays as it is.

    Raises UnwritableFileError.
    """
    try:
        _make_folder(folder, _PRIVATE_FOLDER, None)
    except OSError as error:
        raise UnwritableFileError(f"cannot make {folder}: {error.strerror}") from error


def _group_may_enter(mode: int | None) -> int:
    return _GROUP_MAY_ENTER if mode is not None and mode & _GROUP_MAY_READ else 0


def _make_folder(folder: Path, mode: int, owner: Owner | None) -> None:
    if folder.is_dir():
        return
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(mode)
    _give(folder, owner)


def _replace(target: Path, content: bytes, mode: int, owner: Owner | None) -> None:
    # In the same folder, because a rename is atomic only within one file system.
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE_FILE)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        _give(draft, owner)
        draft.chmod(mode)  # after the owner: changing that may drop mode bits
        draft.replace(target)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def _give(path: Path, owner: Owner | None) -> None:
    if owner is None or os.name != "posix":
        return
    now = path.stat()
    if (now.st_uid, now.st_gid) != (owner.uid, owner.gid):
        os.chown(path, owner.uid, owner.gid)
