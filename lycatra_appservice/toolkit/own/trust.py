"""Whether a file may be run: nobody but we and root may be able to change it."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_ROOT: Final = 0
_OTHERS_MAY_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH


def distrust(path: Path) -> str | None:
    """Why this file or folder must not be used, with the command that ends it; None: it may be.

    Looks at everything above it, too, and at where links lead: whoever may write there could put
    another file in its place. What is mounted read-only nobody can change from here. Elsewhere
    than on POSIX nothing is known. Raises OSError for what is not there.
    """
    if os.name != "posix":
        return None
    return next(filter(None, map(_problem, _all_above(path))), None)


def _all_above(path: Path) -> Iterator[Path]:
    """The path and what it stands in, as written and where it really is, from the top."""
    written, real = path.absolute(), path.resolve(strict=True)
    seen = dict.fromkeys([*reversed(written.parents), written, *reversed(real.parents), real])
    yield from seen


def _problem(path: Path) -> str | None:
    if os.statvfs(path).f_flag & os.ST_RDONLY:
        return None
    found = path.stat()
    we = os.geteuid()
    if found.st_uid not in (_ROOT, we):
        whom = "root" if we == _ROOT else f"user {we}, as which Lycatra runs, or root"
        return (
            f"{path} belongs to user {found.st_uid} and should belong to {whom}: "
            f"type `chown {'-R ' if path.is_dir() else ''}{we} {path}`, or mount it read-only"
        )
    # In a sticky folder, such as /tmp, nobody can replace what is not theirs.
    is_sticky = stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX
    if found.st_mode & _OTHERS_MAY_WRITE and not is_sticky:
        return (
            f"others may write to {path} (mode {stat.S_IMODE(found.st_mode):04o}): "
            f"type `chmod {'-R ' if path.is_dir() else ''}go-w {path}`"
        )
    return None
