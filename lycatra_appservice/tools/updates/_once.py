"""Parts of a deployment in the journal of its call, which a crash may have cut off."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from lycatra_appservice.toolkit.base import JSON, StepCutOffError

# `ctx.step`, or what stands in for it.
Step: TypeAlias = Callable[[str, Callable[[], Awaitable[JSON]]], Awaitable[JSON]]

MOST_TIMES: Final = 12  # more often than a call is made again


def nth(name: str, number: int) -> str:
    """The name of a step that is done once more, as it was done before."""
    return name if number == 1 else f"{name} ({number})"


async def done_again(step: Step, name: str, run: Callable[[], Awaitable[JSON]]) -> JSON:
    """Do a step that may be done more than once: where it was cut off, from its beginning.

    Raises StepCutOffError when that happens every time.
    """
    for number in range(1, MOST_TIMES):
        try:
            return await step(nth(name, number), run)
        except StepCutOffError:
            continue
    return await step(nth(name, MOST_TIMES), run)
