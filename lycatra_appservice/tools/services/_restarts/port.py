"""What a kind of restarting has to be able to do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from lycatra_appservice.toolkit.base import JSON, ToolFailedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What would happen: `steps` are bound to an approval, `now` comes and goes by itself."""

    steps: Sequence[str]
    now: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Restarted:
    """A restart that ended well: `how` in words, without a full stop; `data` for a program."""

    how: str
    data: Mapping[str, JSON] = field(default_factory=dict)


class RestartError(ToolFailedError):
    """It did not end well: whole sentences, of which the first says whether it was restarted."""

    @classmethod
    def not_begun(cls, service: str, why: str) -> "RestartError":
        """Nothing has happened, and `why` is a sentence."""
        return cls(f"`{service}` was not restarted. {why}")

    @classmethod
    def uncertain(cls, service: str, why: str) -> "RestartError":
        """It was asked for, and nobody knows what came of it."""
        return cls(f"`{service}` may or may not have been restarted. {why}")

    @classmethod
    def not_well(cls, service: str, how: str) -> "RestartError":
        """It has happened and did no good; `how` goes on, without a full stop."""
        return cls(f"`{service}` was restarted, but {how}.")


class Restarter(Protocol):
    """Restarts one configured service. Made anew for every call."""

    async def outlook(self) -> Outlook:
        """Say what `restart` would do, changing nothing.

        Raises ToolFailedError when it could not be done, or not be found out.
        """

    async def restart(self) -> Restarted:
        """Restart it and wait until it is up again, within its own time. Raises RestartError."""
