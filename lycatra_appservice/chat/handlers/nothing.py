"""For triggers that ask for nothing yet."""

from collections.abc import Sequence

from lycatra_appservice.model import Outgoing
from lycatra_appservice.turns.turn import Turn


class NothingHandler:
    """Leaves a trigger alone."""

    async def handle(self, turn: Turn, _: object) -> Sequence[Outgoing]:
        """Say nothing."""
        return ()
