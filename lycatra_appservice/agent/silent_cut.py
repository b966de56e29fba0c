"""Notices a server that reads less than it was sent, and says nothing about it.

Ollama cuts a prompt that does not fit from the front, with status 200: the rules and the tools
are gone, and the answer is invented. Its own count of tokens gives it away.
"""

import logging
from dataclasses import dataclass
from typing import Final, Protocol

from lycatra_appservice.agent.backend import ContextOverflowError
from lycatra_appservice.agent.messages import SmallerWindow, Usage

logger = logging.getLogger(__name__)

_PLAUSIBLE: Final = 0.6  # of our estimate, which is rough
_LEAST_TOKENS: Final = 1000  # below that the estimate is too rough
_GREW: Final = 300  # tokens by which a prompt has to grow for its count to say something
_LEAST_WINDOW: Final = 1024  # who counts less than this does not count what it reads
_STEP: Final = 1024  # tokens to which a window is rounded up


@dataclass(frozen=True, slots=True, kw_only=True)
class SilentCut:
    """A prompt of about `estimated_tokens`, of which the server read `counted_tokens`.

    What it counted, with room for its answer, is about the window that it really has.
    """

    estimated_tokens: int
    counted_tokens: int


class TrimmedInVainError(ContextOverflowError):
    """A prompt was cut silently that is too long however much of its history is left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """A prompt as we estimate it, in tokens, and as its server counted it."""

    estimated: float
    counted: int


class CutObserver(Protocol):
    """Where suspicions are counted."""

    def prompt_cut(self, backend: str) -> None:
        """A prompt was probably cut silently."""


class CutWatch:
    """Looks at what one model counts, and remembers its real window while the process lives."""

    def __init__(self, key: str, observer: CutObserver | None = None) -> None:
        """`key` is the place of the model in the configuration, such as `models.home`."""
        self._key = key
        self._observer = observer
        self._window: int | None = None
        self._announced: int | None = None  # by the server itself, which needs no belief
        self._is_believed = True
        self._untold: SmallerWindow | None = None
        self._told: set[str] = set()

    @property
    def window(self) -> int | None:
        """How many tokens it really reads, if that was found out to be less than configured."""
        return self._window

    def bounded(self, configured: int) -> int:
        """How many tokens may be sent."""
        return configured if self._window is None else min(configured, self._window)

    def look(
        self, estimated_tokens: float, usage: Usage | None, before: Counted | None = None
    ) -> SilentCut | None:
        """Compare our estimate of a prompt with the server's count.

        `before` is a prompt that this one begins with: where ours grew, its count has to grow.
        """
        if usage is None or usage.prompt <= 0 or estimated_tokens <= _LEAST_TOKENS:
            return None
        is_short = usage.prompt < _PLAUSIBLE * estimated_tokens
        if not (is_short or _stands_still(estimated_tokens, usage.prompt, before)):
            return None
        cut = SilentCut(estimated_tokens=round(estimated_tokens), counted_tokens=usage.prompt)
        if self._observer is not None:
            self._observer.prompt_cut(self._key.removeprefix("models."))
        self._tell("model_prompt_probably_cut", cut)
        return cut

    def learn(self, cut: SilentCut, configured: int) -> SmallerWindow | None:
        """Remember the window that a cut shows; None if its count cannot be one."""
        if not self._is_believed or cut.counted_tokens < _LEAST_WINDOW:
            return None
        return self._learn(window_seen(cut), configured)

    def learn_announced(self, real: int, configured: int) -> SmallerWindow | None:
        """Remember a window that the server itself names; None if it is no smaller one."""
        smaller = self._learn(real, configured)
        self._announced = self._announced if smaller is None else real
        return smaller

    def _learn(self, real: int, configured: int) -> SmallerWindow | None:
        if real < _LEAST_WINDOW or real >= self.bounded(configured):
            return None
        self._window = real
        return SmallerWindow(key=self._key, configured=configured, real=real)

    def refuse_what_cannot_fit(
        self, cut: SilentCut, configured: int, found: SmallerWindow | None = None
    ) -> None:
        """Raise TrimmedInVainError if a trimmed prompt is still longer than the window.

        Then its count is no reason for disbelief, and its answer was made up without the rules.
        What was `found` by it is told with a later answer.
        """
        if self._is_believed and cut.estimated_tokens > self.bounded(configured):
            self._untold = found or self._untold
            raise TrimmedInVainError(f"{cut.estimated_tokens} tokens, read {cut.counted_tokens}")

    def untold(self) -> SmallerWindow | None:
        """What was found out by a question that got no answer; once."""
        found, self._untold = self._untold, None
        return found

    def disbelieve(self, cut: SilentCut) -> None:
        """Forget what was learned: a prompt that must have fitted was counted as short as well."""
        self._is_believed = False
        self._untold = None
        self._window = self._announced
        self._tell("model_counts_not_what_it_reads", cut)

    def _tell(self, event: str, cut: SilentCut) -> None:
        if event in self._told:
            return
        self._told.add(event)
        extra = {
            "backend": self._key,
            "estimated_tokens": cut.estimated_tokens,
            "counted_tokens": cut.counted_tokens,
            "change": line_to_change(self._key, window_seen(cut)),
        }
        logger.warning(event, extra=extra)


def line_to_change(key: str, real: int) -> str:
    """What an operator does about it, in one line."""
    return (
        f"{key}.context_window: {real} (what the server really reads), or let it read "
        "more: OLLAMA_CONTEXT_LENGTH for Ollama, --ctx-size for llama.cpp"
    )


def window_seen(cut: SilentCut) -> int:
    """The window that the server seems to have: what it read, rounded up."""
    return max(2 * _STEP, -(-cut.counted_tokens // _STEP) * _STEP)


def _stands_still(estimated: float, counted: int, before: Counted | None) -> bool:
    """Whether a prompt grew a good deal and its count did not.

    A count that fell by half is of a server that does not count what it had read before.
    """
    if before is None or counted < before.counted / 2:
        return False
    grown = estimated - before.estimated
    return grown >= _GREW and counted - before.counted < grown / 4
