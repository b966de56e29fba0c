"""How fast one token may come: a bucket that fills evenly, so that bursts are short."""

import math
from collections.abc import Callable
from time import monotonic
from typing import Final

from lycatra_appservice.mcp.refusing import RefusedError

_MOST: Final = 10_000  # tokens that are counted at a time
_BURST_PART: Final = 4  # a burst is a quarter of a minute's worth


class Pace:
    """Counts here alone: with several replicas a token has as many buckets."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = monotonic) -> None:
        self._per_second = per_minute / 60
        self._most = max(1.0, per_minute / _BURST_PART)
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}  # what is left, and when that was so

    def take(self, token_id: str) -> None:
        """Count a request. Raises RefusedError, 429, with the seconds to wait."""
        now = self._clock()
        left, at = self._buckets.get(token_id, (self._most, now))
        left = min(self._most, left + (now - at) * self._per_second)
        if left < 1:
            self._buckets[token_id] = (left, now)
            wait = math.ceil((1 - left) / self._per_second)
            raise RefusedError(
                429,
                f"too many requests with this token; try again in {wait} s",
                headers={"Retry-After": str(wait)},
            )
        if len(self._buckets) >= _MOST:
            self._buckets.clear()  # in favour of the clients, and it is rare
        self._buckets[token_id] = (left - 1, now)
