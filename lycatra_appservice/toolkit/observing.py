"""Tells metrics and the log how each call of a tool ended, refusals too."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from lycatra_appservice.errors import (
    InvalidArgumentsError,
    NotAllowedError,
    ToolError,
    ToolTimeoutError,
    UnknownToolError,
)
from lycatra_appservice.model import Caller, Face
from lycatra_appservice.toolkit.approvals import NeedsApprovalError

logger = logging.getLogger(__name__)

# A name that somebody made up must not become a label of a metric; no tool can be called this.
UNKNOWN: Final = "(unknown)"


class Outcome(StrEnum):
    """How a call ended, for metrics and the log."""

    OK = "ok"
    CACHED = "cached"
    UNKNOWN_TOOL = "unknown_tool"
    NOT_ALLOWED = "not_allowed"
    INVALID_ARGUMENTS = "invalid_arguments"
    NEEDS_APPROVAL = "needs_approval"
    TIMEOUT = "timeout"
    FAILED = "failed"  # the tool said so itself
    CRASHED = "crashed"  # a bug, logged with its traceback
    CANCELLED = "cancelled"


class CallObserver(Protocol):
    """Hears of every call, refused ones too."""

    def called(self, tool: str, face: Face, outcome: str, seconds: float) -> None:
        """`tool` is a known name or `UNKNOWN`; `outcome` a value of Outcome. Must not raise."""


@dataclass(slots=True)
class Observation:
    """What the gate learns while a call goes on."""

    tool: str = UNKNOWN
    outcome: Outcome | None = None  # set where the exception alone does not tell


@contextmanager
def observed(
    observer: CallObserver, caller: Caller, monotonic: Callable[[], float]
) -> Iterator[Observation]:
    """Report the call made inside, however it ends. Arguments are never looked at."""
    observation = Observation()
    started = monotonic()
    outcome = Outcome.CRASHED
    try:
        yield observation
        outcome = observation.outcome or Outcome.OK
    except asyncio.CancelledError:
        outcome = Outcome.CANCELLED
        raise
    except ToolError as exc:
        outcome = observation.outcome or _outcome_of(exc)
        raise
    finally:
        seconds = monotonic() - started
        observer.called(observation.tool, caller.face, outcome.value, seconds)
        logger.info(
            "tool_called",
            extra={
                "tool": observation.tool,
                "caller": caller.user_id,
                "face": caller.face.value,
                "outcome": outcome.value,
                "tool_ms": round(seconds * 1000, 1),
            },
        )


def _outcome_of(error: ToolError) -> Outcome:
    match error:
        case NeedsApprovalError():
            return Outcome.NEEDS_APPROVAL
        case UnknownToolError():
            return Outcome.UNKNOWN_TOOL
        case NotAllowedError():
            return Outcome.NOT_ALLOWED
        case InvalidArgumentsError():
            return Outcome.INVALID_ARGUMENTS
        case ToolTimeoutError():
            return Outcome.TIMEOUT
        case _:
            return Outcome.FAILED
