"""Reads files from their end, plain or packed by gzip, within limits of bytes and time."""

import gzip
import io
import os
import stat
import time
import zlib
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from lycatra_appservice.tools.logs._entry import LONGEST_LINE, readable

_BLOCK: Final = 64 * 1024
_LONGEST: Final = LONGEST_LINE * 4  # bytes of a line that are kept
_MOST_UNPACKED: Final = 256 * 1024 * 1024  # then it is no log, or one that nobody can wait for
_KEPT_UNPACKED: Final = 8 * 1024 * 1024
_NUL_SHARE: Final = 20  # more than every twentieth byte NUL: no text


class LeadsOutsideError(Exception):
    """The file is a link to a place that it must not lead to."""


class NoTextError(Exception):
    """What is in the file cannot be read as lines."""


class TooLongError(Exception):
    """So much is packed in the file that its end is not reached."""


@dataclass(slots=True)
class Allowance:
    """How much may still be read; shared by the files of a source, and spent by reading."""

    bytes_left: int
    deadline: float  # of time.monotonic()

    @property
    def is_spent(self) -> bool:
        """Whether to stop here."""
        return self.bytes_left <= 0 or time.monotonic() >= self.deadline


@contextmanager
def opened(path: Path, within: Path | None) -> Iterator[BinaryIO]:
    """A regular file; with `within` (resolved) only if it really lies in there.

    Raises OSError, and LeadsOutsideError. Never waits, as a pipe would let one.
    """
    real = path.resolve(strict=True)
    if within is not None and not real.is_relative_to(within):
        raise LeadsOutsideError(path)
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    with open(os.open(real, flags | getattr(os, "O_BINARY", 0)), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise LeadsOutsideError(path)
        yield file


def lines_of(file: BinaryIO, allowance: Allowance, *, packed: bool) -> Iterator[str]:
    """The lines, newest first, until there are no more or the allowance is spent.

    Raises NoTextError for what holds none, or is damaged; TooLongError.
    """
    return _backwards(_unpacked(file, allowance) if packed else file, allowance)


def _backwards(file: BinaryIO, allowance: Allowance) -> Iterator[str]:
    left = file.seek(0, os.SEEK_END)
    begun = b""  # the end of a line whose beginning was not read yet
    is_first = True
    while left > 0 and not allowance.is_spent:
        size = min(_BLOCK, left)
        left -= size
        file.seek(left)
        block = file.read(size)
        allowance.bytes_left -= size
        if is_first and block.count(0) * _NUL_SHARE > len(block):
            raise NoTextError
        is_first = False
        begun, *whole = (block + begun).split(b"\n")
        yield from map(readable, reversed(whole))
        begun = begun[:_LONGEST]
    if left == 0 and begun:
        yield readable(begun)


def _unpacked(file: BinaryIO, allowance: Allowance) -> BinaryIO:
    """The end of what was packed; all of it has to be unpacked for that."""
    kept: deque[bytes] = deque()
    total = size = 0
    try:
        with gzip.open(file) as packed:
            while block := packed.read(_BLOCK):
                kept.append(block)
                total += len(block)
                size += len(block)
                while size > _KEPT_UNPACKED:
                    size -= len(kept.popleft())
                if total > _MOST_UNPACKED or allowance.is_spent:
                    raise TooLongError
    except (EOFError, zlib.error, gzip.BadGzipFile) as exc:
        raise NoTextError from exc
    return io.BytesIO(b"".join(kept))
