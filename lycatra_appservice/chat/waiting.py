"""A question that waits for its model is not running out of time."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from lycatra_appservice.agent.ports import HearerPort
from lycatra_appservice.turns.deadline import Deadline


@contextmanager
def unhurried(hearer: HearerPort, *deadlines: Deadline) -> Iterator[HearerPort]:
    """A hearer that lets these stand still while the question waits for a place at its model.

    They go on with the block's end, however the waiting has ended.
    """
    try:
        yield _Unhurried(hearer, deadlines)
    finally:
        for deadline in deadlines:
            deadline.resume()


class _Unhurried:
    """See HearerPort."""

    def __init__(self, hearer: HearerPort, deadlines: Sequence[Deadline]) -> None:
        self._hearer = hearer
        self._deadlines = deadlines

    def waits(self, ahead: int) -> None:
        """The time stands still."""
        for deadline in self._deadlines:
            deadline.pause()
        self._hearer.waits(ahead)

    def asks(self) -> None:
        """And goes on."""
        for deadline in self._deadlines:
            deadline.resume()
        self._hearer.asks()

    def wrote(self, text: str) -> None:
        """See HearerPort."""
        self._hearer.wrote(text)

    def calls(self, tools: Sequence[str]) -> None:
        """See HearerPort."""
        self._hearer.calls(tools)
