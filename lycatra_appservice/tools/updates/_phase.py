"""The phases of a deployment and its outcome, as they are shown and kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from lycatra_appservice.toolkit.base import JSON
from lycatra_appservice.tools.updates._deployers.port import Changed


class Ended(StrEnum):
    """How a deployment has ended."""

    KEPT = "kept"
    NOT_DEPLOYED = "not_deployed"  # nothing was changed
    ROLLED_BACK = "rolled_back"
    NOT_ROLLED_BACK = "failed_and_not_rolled_back"
    UNFINISHED = "unfinished"  # it stopped in the middle, and nobody went on


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """What one has come to; `why` is a sentence where it failed, else a detail or nothing."""

    name: str
    ok: bool
    why: str
    took_ms: int
    changed: Changed = Changed.SOMETHING

    def to_json(self) -> JSON:
        """As it is journaled and shown."""
        return {
            "name": self.name,
            "ok": self.ok,
            "why": self.why,
            "took_ms": self.took_ms,
            "changed": self.changed.value,
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, JSON]) -> "Phase":
        """The phase that `to_json` made this of."""
        return cls(
            name=kept["name"],
            ok=kept["ok"],
            why=kept["why"],
            took_ms=kept["took_ms"],
            changed=Changed(kept["changed"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How it ended, why in sentences, and all phases in their order."""

    ended: Ended
    why: str
    phases: Sequence[Phase]
