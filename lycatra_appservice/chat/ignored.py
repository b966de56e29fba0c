"""Bots that the configuration names, whose messages are never answered. Pure."""

from collections.abc import Sequence

_EVERYBODY = "*"


class Ignored:
    """The list `access.ignored`: entries are `@user:server`, `*:server` or `*`."""

    def __init__(self, entries: Sequence[str] = ()) -> None:
        self._entries = frozenset(entries)

    def covers(self, user_id: str) -> bool:
        """Whether a sender is on the list."""
        if not self._entries:
            return False
        server = user_id.partition(":")[2]
        return not self._entries.isdisjoint({user_id, f"*:{server}", _EVERYBODY})
