"""Takes the log of a container apart, as an engine sends it; keeps its end, within limits."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_HEADER_BYTES: Final = 8  # which stream, three zeros, and the length of what follows
_LONGEST_LINE: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class LogTail:
    """Lines, oldest first; `is_cut` when there would have been more."""

    lines: Sequence[bytes]
    is_cut: bool


class LogReader:
    """Fed with what comes, in pieces of any size.

    Without a terminal the engine sends frames, of which each belongs to one of two streams and
    a line may fill several; with one (`tty`) the bytes as they are.
    """

    def __init__(self, *, tty: bool, most_bytes: int, kept_bytes: int) -> None:
        """Of at most `most_bytes` read, the lines within the last `kept_bytes` stay."""
        self._tty = tty
        self._left = most_bytes
        self._kept_bytes = kept_bytes
        self._lines: deque[bytes] = deque()
        self._size = 0
        self._unread = b""  # the beginning of a frame's header
        self._frame_left = 0
        self._stream = 0
        self._begun: dict[int, bytes] = {}  # of a line, by stream
        self._is_cut = False

    @property
    def is_full(self) -> bool:
        """Whether it takes no more."""
        return self._left <= 0

    def feed(self, data: bytes) -> None:
        """Take the next piece."""
        self._left -= len(data)
        if self._tty:
            self._add(data)
            return
        data = self._unread + data
        self._unread = b""
        while data:
            if not self._frame_left:
                if len(data) < _HEADER_BYTES:
                    self._unread = data
                    return
                self._stream = data[0]
                self._frame_left = int.from_bytes(data[4:_HEADER_BYTES], "big")
                data = data[_HEADER_BYTES:]
            piece, data = data[: self._frame_left], data[self._frame_left :]
            self._frame_left -= len(piece)
            self._add(piece)

    def tail(self) -> LogTail:
        """What was kept."""
        for begun in self._begun.values():
            self._keep(begun)
        self._begun = {}
        return LogTail(list(self._lines), self._is_cut or self.is_full)

    def _add(self, piece: bytes) -> None:
        *whole, begun = (self._begun.get(self._stream, b"") + piece).split(b"\n")
        for line in whole:
            self._keep(line)
        self._begun[self._stream] = begun[:_LONGEST_LINE]

    def _keep(self, line: bytes) -> None:
        if not line:
            return
        self._lines.append(line)
        self._size += len(line)
        while self._size > self._kept_bytes:
            self._size -= len(self._lines.popleft())
            self._is_cut = True
