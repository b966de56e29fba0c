"""Parts of a tool's work that are done once, though the tool may be run again after a crash."""

import json
from collections.abc import Awaitable, Callable, Collection, Mapping
from types import MappingProxyType
from typing import Final, Protocol, TypeAlias

from lycatra_appservice.errors import StepCutOffError
from lycatra_appservice.model import JSON

MAX_RESULT_BYTES: Final = 256 * 1024
_LONGEST_NAME: Final = 100

RunStep: TypeAlias = Callable[[], Awaitable[JSON]]


class Steps(Protocol):
    """The journal of one call."""

    async def step(self, name: str, run: RunStep) -> JSON:
        """What `run` gives, or gave when an earlier run of the call did this step.

        Raises StepCutOffError when an earlier run of a change had begun it and not ended it.
        """


class JustRun:
    """Where no turn is, or none that would run the call again."""

    async def step(self, name: str, run: RunStep) -> JSON:
        """Run it."""
        return await run()


class StandInSteps:
    """As if an earlier run of the call had come so far, for tests of tools."""

    def __init__(
        self,
        kept: Mapping[str, JSON] = MappingProxyType({}),
        cut_off: Collection[str] = (),
    ) -> None:
        self._kept = kept
        self._cut_off = cut_off

    async def step(self, name: str, run: RunStep) -> JSON:
        """The kept result, the error for one that was cut off, else run it."""
        if name in self._cut_off:
            raise StepCutOffError(name)
        return self._kept[name] if name in self._kept else await run()


class CheckedSteps:
    """The steps as a tool has them: each name once, and results as they come out of a journal."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self._used: set[str] = set()

    async def step(self, name: str, run: RunStep) -> JSON:
        """Do it once. Raises ValueError and TypeError for mistakes of the tool."""
        if not name or len(name) > _LONGEST_NAME or name in self._used:
            raise ValueError(f"a step needs a name of its own, of 1 to {_LONGEST_NAME} characters")
        self._used.add(name)

        async def in_json() -> JSON:
            text = json.dumps(await run(), allow_nan=False)
            if len(text) > MAX_RESULT_BYTES:
                raise ValueError(f"step {name!r} gave more than {MAX_RESULT_BYTES} bytes")
            return json.loads(text)

        return await self._steps.step(name, in_json)
