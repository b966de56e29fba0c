"""Server-sent events as model servers write them, from bytes cut anywhere."""

from collections.abc import Sequence

# More than any answer; a server that sends it is broken, or not a model server.
MAX_EVENT_BYTES = 4 * 1024 * 1024

DONE = "[DONE]"


class GarbledAnswerError(Exception):
    """What came is no answer in the expected format."""


class EventReader:
    """Cuts a byte stream into the data of its events; comments and other fields are left out.

    Each data line is an event of its own: the JSON of a chunk never spans lines, and some servers
    forget the blank line between two. Lines end where the SSE specification says, which
    str.splitlines does not: a model may write U+2028 or U+0085 inside a JSON string. Only whole
    lines are decoded, so that a character cut in two by the network arrives whole.
    """

    def __init__(self) -> None:
        self._unfinished: list[bytes] = []
        self._unfinished_bytes = 0

    def feed(self, chunk: bytes) -> Sequence[str]:
        """The data of the lines that this chunk completes. Raises GarbledAnswerError."""
        self._unfinished.append(chunk)
        self._unfinished_bytes += len(chunk)
        if b"\n" in chunk or b"\r" in chunk:
            return self._take(final=False)
        if self._unfinished_bytes > MAX_EVENT_BYTES:
            raise GarbledAnswerError("an event is too long to be one")
        return ()

    def finish(self) -> Sequence[str]:
        """The stream is over: the last line needs no end."""
        return self._take(final=True)

    def _take(self, *, final: bool) -> Sequence[str]:
        lines = b"".join(self._unfinished).splitlines(keepends=True)
        # A "\r" at the end may be the first half of a "\r\n": wait for what follows.
        unfinished = b"" if final or not lines or lines[-1].endswith(b"\n") else lines.pop()
        self._unfinished, self._unfinished_bytes = [unfinished], len(unfinished)
        return [data for line in lines if (data := _data(line))]


def _data(line: bytes) -> str:
    field, _, value = line.partition(b":")
    text = value.decode("utf-8", "replace").strip(" \t\r\n")
    if field == b"error":  # llama.cpp until 2025 wrote its errors so
        return f'{{"error": {text}}}'
    return text if field == b"data" else ""
