"""Notices a server that reads less than it was sent, and says nothing about it.

Ollama cuts a prompt that does not fit from the front, with status 200: the rules and the tools
are gone, and the answer is invented. Its own count of tokens gives it away.
"""

import logging
from dataclasses import dataclass
from typing import Final, Protocol

from lycatra_appservice.agent.messages import Usage

logger = logging.getLogger(__name__)

_PLAUSIBLE: Final = 0.6  # of our estimate, which is rough
_LEAST_TOKENS: Final = 1000  # below that the estimate is too rough


@dataclass(frozen=True, slots=True, kw_only=True)
class SilentCut:
    """A prompt of about `estimated_tokens`, of which the server read `counted_tokens`.

    What it counted, with room for its answer, is about the window that it really has.
    """

    estimated_tokens: int
    counted_tokens: int


class CutObserver(Protocol):
    """Where suspicions are counted."""

    def prompt_cut(self, backend: str) -> None:
        """A prompt was probably cut silently."""


class CutWatch:
    """Looks at what one model counts; tells the operator once in the life of the process."""

    def __init__(self, key: str, observer: CutObserver | None = None) -> None:
        """`key` is the place of the model in the configuration, such as `models.home`."""
        self._key = key
        self._observer = observer
        self._told = False

    def look(self, estimated_tokens: float, usage: Usage | None) -> SilentCut | None:
        """Compare our estimate of a prompt with the server's count."""
        if usage is None or usage.prompt <= 0 or estimated_tokens <= _LEAST_TOKENS:
            return None
        if usage.prompt >= _PLAUSIBLE * estimated_tokens:
            return None
        cut = SilentCut(estimated_tokens=round(estimated_tokens), counted_tokens=usage.prompt)
        if self._observer is not None:
            self._observer.prompt_cut(self._key.removeprefix("models."))
        if not self._told:
            self._tell(cut)
        return cut

    def _tell(self, cut: SilentCut) -> None:
        self._told = True
        extra = {
            "backend": self._key,
            "estimated_tokens": cut.estimated_tokens,
            "counted_tokens": cut.counted_tokens,
            "change": line_to_change(self._key, cut),
        }
        logger.warning("model_prompt_probably_cut", extra=extra)


def line_to_change(key: str, cut: SilentCut) -> str:
    """What an operator does about it, in one line."""
    return (
        f"{key}.context_window: {window_seen(cut)} (what the server really reads), or let it read "
        "more: OLLAMA_CONTEXT_LENGTH for Ollama, --ctx-size for llama.cpp"
    )


def window_seen(cut: SilentCut) -> int:
    """The window that the server seems to have: the power of two that holds what it read."""
    return max(1024, 1 << (cut.counted_tokens - 1).bit_length())
