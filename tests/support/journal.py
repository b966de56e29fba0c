"""A call's journal as the turn engine keeps it, with processes that end where a test says so."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from lycatra_appservice.errors import StepCutOffError
from lycatra_appservice.model import JSON


class Killed(BaseException):
    """The process is no more: nothing below gets to catch it."""


@dataclass
class Journal:
    """Outlives its runs. `kill_before` and `kill_after` name steps; each kills once."""

    kill_before: list[str] = field(default_factory=list)
    kill_after: list[str] = field(default_factory=list)  # done, and never written down
    kept: dict[str, str] = field(default_factory=dict)
    begun: list[str] = field(default_factory=list)
    cut_off: list[str] = field(default_factory=list)

    async def step(self, name: str, run: Callable[[], Awaitable[JSON]]) -> JSON:
        """Once begun it is not begun again."""
        if name in self.kept:
            return json.loads(self.kept[name])
        if name in self.begun:
            self.cut_off.append(name)
            raise StepCutOffError(name)
        self.begun.append(name)
        self._kill(name, self.kill_before)
        result = await run()
        self._kill(name, self.kill_after)
        self.kept[name] = json.dumps(result)
        return result

    def _kill(self, name: str, where: list[str]) -> None:
        if name in where:
            where.remove(name)
            raise Killed
