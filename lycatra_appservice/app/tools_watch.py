"""Whether all tools work, here and on the other replicas."""

import logging

from lycatra_appservice.ops.health import UnwellError
from lycatra_appservice.toolkit.own.found import FoundTools
from lycatra_appservice.turns.replicas import Replicas

logger = logging.getLogger(__name__)


class ToolsWatch:
    """A part of /healthz, and a duty of the leader for those who look at nothing but the log."""

    def __init__(self, tools: FoundTools, replicas: Replicas) -> None:
        self._tools = tools
        self._replicas = replicas
        self._others = 0

    async def probe(self) -> str:
        """How many there are. Raises UnwellError with what does not work."""
        problems = [each.disabled for each in self._tools.problems]
        if problems:
            raise UnwellError(f"{', '.join(problems)}: see `lycatra tool list`")
        others = await self.replicas_with_others()
        if others:
            raise UnwellError(_differing(others))
        return f"{len(self._tools.registry.tools)} of them"

    async def look(self) -> None:
        """Say once when replicas begin to differ, and when they stop."""
        others, before = await self.replicas_with_others(), self._others
        self._others = others
        if others and not before:
            logger.warning("tools_differ", extra={"replicas": others, "hint": _differing(others)})
        elif before and not others:
            logger.info("tools_agree")

    async def replicas_with_others(self) -> int:
        """How many live replicas have other tools than this one."""
        return await self._replicas.with_other_tools(self._tools.registry.digest)


def _differing(others: int) -> str:
    whose = "another replica has" if others == 1 else f"{others} other replicas have"
    return f"{whose} other tools than this one: give all the same folders, then restart them"
