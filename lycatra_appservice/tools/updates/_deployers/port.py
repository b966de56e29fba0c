"""What a kind of deploying has to be able to do."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from lycatra_appservice.toolkit.base import ToolFailedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """From one version to another; `previous` is what runs now, None where that is not known.

    `is_back` says that `version` is to come back, because it was better than `previous`.
    """

    version: str
    previous: str | None = None
    is_back: bool = False

    @property
    def back(self) -> "Change | None":
        """The way back; None without a version to go back to."""
        if self.previous is None:
            return None
        return Change(version=self.previous, previous=self.version, is_back=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What would happen: `steps` are bound to an approval, `now` comes and goes by itself."""

    steps: Sequence[str]
    now: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """What runs; `version` None where that cannot be told. `detail` is safe to show.

    `is_over` says that it will not become well by itself, so that nobody needs to wait for it.
    `start` changes when it starts anew by itself; empty where that cannot be seen.
    """

    version: str | None
    ok: bool
    detail: str
    is_over: bool = False
    start: str = ""


class Changed(StrEnum):
    """How much had been done when something failed."""

    NOTHING = "nothing"
    MAYBE = "maybe"  # it was asked for, and nobody knows what came of it
    SOMETHING = "something"


@dataclass(slots=True)
class Progress:
    """How much has been done by now, for whoever says so when something fails."""

    changed: Changed = Changed.NOTHING


class DeployError(ToolFailedError):
    """It did not work out: a sentence, and how much had been changed by then."""

    def __init__(self, said: str, changed: Changed) -> None:
        super().__init__(said)
        self.changed = changed


class Deployer(Protocol):
    """Brings versions of one configured service. Made anew for every call."""

    @property
    def is_repeatable(self) -> bool:
        """Whether `apply` may be run again when it was cut off."""

    @property
    def tries_out(self) -> bool:
        """Whether there is a `try_out` that does something."""

    async def outlook(self, change: Change) -> Outlook:
        """Say what `apply` would do, changing nothing.

        Raises ToolFailedError when it could not be done, or not be found out.
        """

    async def running(self) -> Running:
        """What runs now, and how it is. Raises ToolFailedError when that cannot be found out."""

    async def apply(self, change: Change) -> None:
        """Bring `version`; return when that was asked for, without waiting until it is well.

        Run again after it was cut off, it leads to the same, if it `is_repeatable`. Raises
        DeployError.
        """

    async def try_out(self, change: Change) -> None:
        """See whether `version` can run, beside what runs; nothing of that is left behind.

        Begins with taking away what was left by one that was cut off. Raises DeployError.
        """

    async def keep(self) -> None:
        """Take away what was held ready for a roll-back. Raises DeployError."""
