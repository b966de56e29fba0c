"""Steps of one call of a tool, in the journal of its turn."""

from collections.abc import Awaitable, Callable
from typing import Final

from lycatra_appservice.errors import StepCutOffError
from lycatra_appservice.model import JSON
from lycatra_appservice.turns.turn import Turn

_STEP: Final = "step"  # the beginning of their names
_GAVE: Final = "gave"  # not in the output of one that was cut off


class ReadingSteps:
    """Of a call that changes nothing: a step that was cut off is simply done again."""

    def __init__(self, turn: Turn, call: str) -> None:
        """`call` names it, the same in every run of the turn."""
        self._turn = turn
        self._call = call

    async def step(self, name: str, run: Callable[[], Awaitable[JSON]]) -> JSON:
        """What it gives, or gave in an earlier run."""
        return await self._turn.step(f"{_STEP}:{self._call}:{name}", run)


class ChangingSteps:
    """Of an approved call: a step is begun at most once, and that is written down before."""

    def __init__(self, turn: Turn, call: str) -> None:
        """`call` names it, the same in every run of the turn."""
        self._turn = turn
        self._call = call

    async def step(self, name: str, run: Callable[[], Awaitable[JSON]]) -> JSON:
        """What it gives, or gave in an earlier run. Raises StepCutOffError, then in every run."""
        key = f"{_STEP}:{self._call}:{name}"

        async def given() -> JSON:
            return {_GAVE: await run()}

        if self._turn.has_begun(key):
            # Nobody is at it any more: what it has left is the tool's to find out.
            await self._turn.settle(key, {})
            raise StepCutOffError(name)
        kept = await self._turn.change(key, given)
        if _GAVE not in kept:
            raise StepCutOffError(name)
        return kept[_GAVE]
