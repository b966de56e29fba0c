"""Tells metrics, the log and the audit how each call of a tool ended, refusals too."""

import asyncio
import json
import logging
import re
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final, Protocol

from lycatra_appservice.audit.entry import STARTED, Entry, Ruling
from lycatra_appservice.errors import (
    InvalidArgumentsError,
    NotAllowedError,
    StoreUnavailableError,
    ToolError,
    ToolTimeoutError,
    TurnOverError,
    UnknownToolError,
)
from lycatra_appservice.model import JSON, Caller, Face, UserID
from lycatra_appservice.toolkit.approvals import Approved, NeedsApprovalError
from lycatra_appservice.toolkit.base import ToolArgs
from lycatra_appservice.toolkit.redaction import HIDDEN, Mask, canonical_arguments, shown_arguments
from lycatra_appservice.toolkit.registry import AnyTool

logger = logging.getLogger(__name__)

# A name that somebody made up must not become a label of a metric; no tool can be called this.
UNKNOWN: Final = "(unknown)"
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")  # fit to be kept, whether there is such a tool


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
    INTERRUPTED = "interrupted"  # the database went away; whoever asked asks again


_REFUSALS: Final = frozenset(
    {Outcome.UNKNOWN_TOOL, Outcome.NOT_ALLOWED, Outcome.INVALID_ARGUMENTS}
)


class CallObserver(Protocol):
    """Hears of every call, refused ones too."""

    def called(self, tool: str, face: Face, outcome: str, seconds: float) -> None:
        """`tool` is a known name or `UNKNOWN`; `outcome` a value of Outcome. Must not raise."""


class CallAudit(Protocol):
    """Keeps an entry about every call."""

    def fingerprint(self, text: str) -> str:
        """A keyed hash of what must not be kept itself."""

    async def note(self, entry: Entry) -> None:
        """Keep it soon. Raises StoreUnavailableError when too much waits already."""

    async def write(self, entry: Entry) -> None:
        """Keep it now: committed on return. Raises StoreUnavailableError."""


@dataclass(slots=True)
class Observation:
    """What the gate learns while a call goes on.

    `checked` are the arguments once they were found right. `approval` is the code of the
    approval under which the call runs or for which it waits, `approvers` who gave it.
    """

    audit: CallAudit
    entry: Entry
    raw_args: Mapping[str, JSON]
    tool: str = UNKNOWN
    outcome: Outcome | None = None  # set where the exception alone does not tell
    checked: ToolArgs | None = None
    approval: str | None = None
    approvers: Sequence[UserID] = ()
    reference: str | None = None
    has_started: bool = field(default=False, init=False)

    def runs_by(self, approved: Approved) -> None:
        """Say which approval this call is made by: its entries are about the same call.

        A call that goes on after a crash begins once more, which is a call of its own.
        """
        if not approved.resuming:
            self.entry = replace(self.entry, call=f"approval-{approved.number}")
        self.approval, self.approvers = approved.code, approved.by

    async def starting(self) -> None:
        """Keep for good that something is about to be changed, before it is.

        Raises StoreUnavailableError, and then nothing may be changed.
        """
        await self.audit.write(self._about(Ruling.ALLOWED, STARTED))
        self.has_started = True

    async def ended(self, outcome: Outcome, seconds: float) -> None:
        """Keep how it ended. A wish for an approval is kept with that, or with its refusal."""
        if outcome is Outcome.NEEDS_APPROVAL:
            return
        ruling = Ruling.REFUSED if outcome in _REFUSALS else Ruling.ALLOWED
        entry = self._about(ruling, outcome.value)
        if outcome is Outcome.UNKNOWN_TOOL:
            entry = replace(entry, arguments=_names_alone(entry.arguments))
        entry = replace(entry, took_ms=round(seconds * 1000), reference=self.reference)
        if not self.has_started:
            await self.audit.note(entry)
            return
        try:
            await self.audit.write(entry)
        except StoreUnavailableError as error:
            # It was changed, and whoever asked is to hear of that; the entry is kept later.
            logger.warning("audit_waits", extra={"tool": self.tool, "error": str(error)})

    def _about(self, ruling: Ruling, outcome: str) -> Entry:
        arguments = self.raw_args if self.checked is None else self.checked
        call = canonical_arguments(self.entry.tool, arguments)
        return replace(
            self.entry,
            ruling=ruling,
            outcome=outcome,
            arguments_hash=self.audit.fingerprint(call),
            approval=self.approval,
            approvers=tuple(self.approvers),
        )


class CallWatch:
    """Watches the calls of one gate."""

    def __init__(
        self,
        observer: CallObserver,
        audit: CallAudit,
        mask: Mask,
        monotonic: Callable[[], float],
    ) -> None:
        """`mask` takes known secrets out of texts."""
        self._observer = observer
        self._audit = audit
        self._mask = mask
        self._monotonic = monotonic

    @asynccontextmanager
    async def over(
        self, caller: Caller, name: str, raw_args: Mapping[str, JSON], tool: AnyTool | None
    ) -> AsyncIterator[Observation]:
        """Report the call made inside, however it ends; `tool` is who is called `name`."""
        entry = self._entry(caller, name, raw_args, tool)
        observation = Observation(self._audit, entry, raw_args)
        started = self._monotonic()
        outcome = Outcome.CRASHED
        try:
            yield observation
            outcome = observation.outcome or Outcome.OK
        except (asyncio.CancelledError, TurnOverError):
            outcome = Outcome.CANCELLED
            raise
        except StoreUnavailableError:
            outcome = Outcome.INTERRUPTED
            raise
        except ToolError as exc:
            outcome = observation.outcome or _outcome_of(exc)
            raise
        finally:
            seconds = self._monotonic() - started
            self._tell(observation.tool, caller, outcome, seconds)
            await observation.ended(outcome, seconds)

    def _tell(self, tool: str, caller: Caller, outcome: Outcome, seconds: float) -> None:
        self._observer.called(tool, caller.face, outcome.value, seconds)
        logger.info(
            "tool_called",
            extra={
                "tool": tool,
                "caller": caller.user_id,
                "face": caller.face.value,
                "outcome": outcome.value,
                "tool_ms": round(seconds * 1000, 1),
            },
        )

    def _entry(
        self, caller: Caller, name: str, raw_args: Mapping[str, JSON], tool: AnyTool | None
    ) -> Entry:
        """What is known of a call before anything is decided."""
        shown = shown_arguments(tool.args if tool else None, raw_args, self._mask)
        return Entry(
            call=secrets.token_hex(8),
            person=caller.user_id,
            face=caller.face.value,
            tool=name if _NAME.fullmatch(name) else UNKNOWN,
            ruling=Ruling.REFUSED,
            room_id=caller.room_id,
            trigger_id=caller.on_behalf_of_turn,
            run=caller.run,
            arguments=json.dumps(shown, ensure_ascii=False),
        )


def _names_alone(arguments: str | None) -> str:
    """Nobody knows which values are secret, and of a hidden tool nobody is to learn that we do."""
    return json.dumps(dict.fromkeys(json.loads(arguments or "{}"), HIDDEN), ensure_ascii=False)


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
