"""Runs the phases of a deployment as steps of a journal, and tells how far it is."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from time import monotonic
from typing import TypeAlias

from lycatra_appservice.toolkit.base import JSON, ToolFailedError
from lycatra_appservice.tools.updates._deployers.port import Changed, DeployError
from lycatra_appservice.tools.updates._looking import Hear, Look, Verdict
from lycatra_appservice.tools.updates._once import Step, done_again
from lycatra_appservice.tools.updates._phase import Phase

# Awaited before each phase with its name; raises ToolFailedError when it must not begin.
Hold: TypeAlias = Callable[[str], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a deployment works with: a journal, people who wait, and a right to go on."""

    step: Step
    tell: Hear
    look: Look
    hold: Hold


class Phases:
    """Those of one deployment; `done` has them in their order, also those of earlier runs."""

    def __init__(self, what: str, names: Sequence[str], around: Surroundings) -> None:
        """`names` are those of a deployment that goes well, of which people read how far it is."""
        self.done: list[Phase] = []
        self._what = what
        self._names = names
        self._around = around

    async def repeatable(self, name: str, run: Callable[[], Awaitable[Verdict]]) -> Phase:
        """A phase that may be run again when it was cut off, from its beginning."""
        kept = await done_again(self._around.step, name, self._timed(name, run))
        return self.note(Phase.from_json(kept))

    async def once(self, this: str, name: str, run: Callable[[], Awaitable[Verdict]]) -> Phase:
        """One try of a phase. Raises StepCutOffError when it had begun before."""
        kept = await self._around.step(this, self._timed(name, run))
        return self.note(Phase.from_json(kept))

    def _timed(
        self, name: str, run: Callable[[], Awaitable[Verdict]]
    ) -> Callable[[], Awaitable[JSON]]:
        async def timed() -> JSON:
            # Only here: what is done already needs no right to be done.
            await self._around.hold(name)
            self.telling(name)("")
            began = monotonic()
            phase = await _phase_of(name, run)
            return replace(phase, took_ms=round((monotonic() - began) * 1000)).to_json()

        return timed

    def telling(self, name: str) -> Hear:
        """Tells people who wait what is seen in a phase."""
        number = self._names.index(name) + 1 if name in self._names else len(self._names)
        where = f"{name}, {number} of {len(self._names)}" if name in self._names else name

        def tell(detail: str) -> None:
            more = f": {detail}" if detail else ""
            self._around.tell(f"{self._what}: {where}{more}")

        return tell

    def note(self, phase: Phase) -> Phase:
        """Add what needs no run of its own."""
        self.done.append(phase)
        return phase


async def _phase_of(name: str, run: Callable[[], Awaitable[Verdict]]) -> Phase:
    """What it has come to, whatever that is: what raises would be cut off in the journal."""
    try:
        verdict = await run()
    except DeployError as exc:
        return Phase(name=name, ok=False, why=exc.user_message, took_ms=0, changed=exc.changed)
    except ToolFailedError as exc:
        why = exc.user_message
        return Phase(name=name, ok=False, why=why, took_ms=0, changed=Changed.MAYBE)
    except TimeoutError:
        why = "It did not end in time."
        return Phase(name=name, ok=False, why=why, took_ms=0, changed=Changed.MAYBE)
    why = verdict.detail if verdict.ok else f"{verdict.detail}."
    return Phase(name=name, ok=verdict.ok, why=why, took_ms=0)
