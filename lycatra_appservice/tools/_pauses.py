"""The pauses between two looks at something that is coming up."""

from collections.abc import Iterator

_FIRST_SECONDS = 0.05  # most containers are up at once
_LONGEST_SECONDS = 1.0


def growing_pauses() -> Iterator[float]:
    """Seconds, each twice the one before it, up to one; without an end."""
    seconds = _FIRST_SECONDS
    while True:
        yield seconds
        seconds = min(2 * seconds, _LONGEST_SECONDS)
