"""How the parts of the service are looked at, for /healthz and for people who ask."""

from collections.abc import Mapping
from time import monotonic
from typing import Final

from lycatra_appservice.app.parts import Parts
from lycatra_appservice.app.tools_watch import ToolsWatch
from lycatra_appservice.db.statements import Dialect, parse_statement
from lycatra_appservice.ops.health import Probe, UnwellError

_LOOK: Final = parse_statement("look", "SELECT lycatra_now() AS now")


def make_probes(
    parts: Parts, models: Mapping[str, Probe], tools: ToolsWatch
) -> Mapping[str, Probe]:
    """One look each at database, homeserver, every model, and tools that may not work."""

    async def database() -> str:
        await parts.database.fetch_one(_LOOK)
        return str(parts.database.dialect)

    async def homeserver() -> str:
        began = monotonic()
        await parts.client.versions()
        return f"answered in {round((monotonic() - began) * 1000)} ms"

    async def no_model() -> str:
        raise UnwellError("none is configured; commands work without")

    asked = models or {"model": no_model}
    probes = {"database": database, "homeserver": homeserver, **asked}
    return {**probes, "tools": tools.probe} if _may_differ(parts) else probes


def _may_differ(parts: Parts) -> bool:
    """Whether tools can be broken at all, or other ones elsewhere; else a line would be noise."""
    has_own = bool(parts.tools.origins or parts.tools.problems)
    return has_own or parts.database.dialect is Dialect.POSTGRES
