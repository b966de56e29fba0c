"""What a figure is, and how it comes from noisy rounds without fooling anybody."""

import math
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from time import monotonic
from typing import Final

_EXACT: Final = 0.005  # how far "exactly" may be off: Postgres commits for itself now and then
_FEWEST_ROUNDS: Final = 3
_FEW_DIGITS: Final = 100.0


class WrongWorkError(Exception):
    """What was measured did not do its work, so that its speed means nothing."""


class CannotMeasureError(Exception):
    """Something that a question needs is not here; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Goal:
    """Within which bounds a value has to be; `text` is how people read it, without spaces."""

    text: str
    least: float = -math.inf
    most: float = math.inf

    @property
    def has_least(self) -> bool:
        """Whether it can be missed by too little."""
        return self.least > -math.inf

    @property
    def has_most(self) -> bool:
        """Whether it can be missed by too much."""
        return self.most < math.inf

    def is_met(self, value: float) -> bool:
        """Whether the value is within the bounds, which belong to them."""
        return self.least <= value <= self.most


def at_least(limit: float) -> Goal:
    """More is better."""
    return Goal(f">={limit:g}", least=limit)


def at_most(limit: float) -> Goal:
    """Less is better."""
    return Goal(f"<={limit:g}", most=limit)


def exactly(value: float) -> Goal:
    """Neither more nor less, but for what the database does by itself."""
    return Goal(f"={value:g}", least=value - _EXACT, most=value + _EXACT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One answer. `rounds` are its values, one a round; `raw` what they were made of.

    Raises WrongWorkError when there is no round, or one without a number.
    """

    name: str
    unit: str
    rounds: Sequence[float]
    goal: Goal | None = None
    raw: Mapping[str, Sequence[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        require(bool(self.rounds), f"{self.name}: no round was measured")
        numbers = all(math.isfinite(value) for value in self.rounds)
        require(numbers, f"{self.name}: a round has no number: {list(self.rounds)}")

    @property
    def value(self) -> float:
        """The median of the rounds: one disturbed round does not move it."""
        return median(self.rounds)

    @property
    def spread(self) -> tuple[float, float]:
        """The lowest and the highest round."""
        return min(self.rounds), max(self.rounds)

    @property
    def verdict(self) -> str:
        """`ok` or `short`; `-` for what has no goal. Of the value itself, not of its print."""
        if self.goal is None:
            return "-"
        return "ok" if self.goal.is_met(self.value) else "short"

    def line(self) -> str:
        """`name value unit goal ok|short`, then the spread."""
        goal = self.goal.text if self.goal else "-"
        lowest, highest = self.spread
        return (
            f"{self.name} {_shown(self.value)} {self.unit} {goal} {self.verdict}"
            f" ({_shown(lowest)}..{_shown(highest)} in {len(self.rounds)} rounds)"
        )


def require(condition: bool, what: str) -> None:
    """Raise WrongWorkError with `what` unless the condition holds; unlike assert, always."""
    if not condition:
        raise WrongWorkError(what)


def ratios(ours: Sequence[float], baseline: Sequence[float]) -> list[float]:
    """Ours by the baseline, round by round: what disturbs a round disturbs both of its pair.

    Raises WrongWorkError for rounds without a partner, or a baseline that stood still.
    """
    require(len(ours) == len(baseline), f"{len(ours)} rounds cannot pair with {len(baseline)}")
    require(all(value > 0 for value in baseline), f"a baseline of nothing: {list(baseline)}")
    return [mine / theirs for mine, theirs in zip(ours, baseline, strict=True)]


def percentile(samples: Sequence[float], share: float) -> float:
    """The nearest-rank percentile (`share` 0.99 for p99): always one of the samples.

    Raises WrongWorkError when there are none.
    """
    require(bool(samples), "a percentile of no samples")
    rank = math.ceil(share * len(samples))
    return sorted(samples)[max(rank, 1) - 1]


def in_time(rounds: int, seconds: float) -> Iterator[int]:
    """Count rounds, and stop early when the time is over, but never before the third.

    A busy machine so gets fewer rounds, not a run without end.
    """
    ends_at = monotonic() + seconds
    for number in range(rounds):
        if number >= _FEWEST_ROUNDS and monotonic() > ends_at:
            return
        yield number


async def interleave(
    rounds: int, contenders: Mapping[str, Callable[[], Awaitable[float]]], seconds: float = 60
) -> dict[str, list[float]]:
    """Let everybody run once a round, as many rounds as there is time for (see `in_time`).

    Each round begins with the next one, so that nobody always runs first.
    """
    measured: dict[str, list[float]] = {name: [] for name in contenders}
    names = list(contenders)
    for first in in_time(rounds, seconds):
        for name in (names[(first + n) % len(names)] for n in range(len(names))):
            measured[name].append(await contenders[name]())
    return measured


def _shown(value: float) -> str:
    return f"{value:.3f}" if abs(value) < _FEW_DIGITS else f"{value:.0f}"
