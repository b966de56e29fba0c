"""Whether the tools of one's own work."""

from collections.abc import Sequence
from typing import Final

from lycatra_appservice.doctor.findings import Finding, ok, warning
from lycatra_appservice.toolkit.own.found import FoundTools

_CHECK: Final = "tools"


def judge_tools(tools: FoundTools) -> Sequence[Finding]:
    """One finding for each that is disabled, else one for all."""
    if not tools.problems:
        own = f", {len(tools.origins)} of them your own" if tools.origins else ""
        return [ok(_CHECK, f"{len(tools.registry.tools)} work{own}")]
    return [
        warning(
            _CHECK,
            f"{each.disabled} is disabled: {each.reason}",
            why="everything else works without it",
            fix=f"{each.where}; `lycatra tool lint` looks again; then restart Lycatra",
        )
        for each in tools.problems
    ]
