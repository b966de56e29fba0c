"""A turn that has waited goes on: the call is made once, or the person reads why it is not."""

from collections.abc import Mapping
from typing import Final

from lycatra_appservice.chat.approvals import wording
from lycatra_appservice.chat.approvals.card import Shown
from lycatra_appservice.chat.approvals.keeping import result_from_json, result_to_json
from lycatra_appservice.errors import LycatraError, OutcomeUnknownError, ToolError
from lycatra_appservice.model import JSON
from lycatra_appservice.toolkit.approvals import Approved
from lycatra_appservice.toolkit.base import ToolResult
from lycatra_appservice.toolkit.toolbox import Toolbox
from lycatra_appservice.turns.approvals import (
    Approval,
    ApprovalSpentError,
    ApprovalState,
    CallOutcome,
    Withdrawal,
)
from lycatra_appservice.turns.call_steps import ChangingSteps
from lycatra_appservice.turns.deciding import Deciding
from lycatra_appservice.turns.turn import Turn
from lycatra_appservice.words.text import Text, said_from_json, said_to_json

_CHANGE: Final = "change"  # the beginning of the name of the step that makes the call


class NotApprovedError(ToolError):
    """Nothing was done, because people said so, or nobody said anything."""


class StillOpenError(LycatraError):
    """A turn runs although what it waits for is open: a bug."""


class Settling:
    """What comes after the wait."""

    def __init__(self, deciding: Deciding) -> None:
        self._deciding = deciding

    async def settle(self, turn: Turn, approval: Approval, toolbox: Toolbox) -> ToolResult:
        """Make an approved call, once for all runs of the turn, and return what it gave.

        Raises NotApprovedError; ToolError when the call failed; OutcomeUnknownError when an
        earlier run had begun it and ended before its end.
        """
        if approval.state not in (ApprovalState.APPROVED, ApprovalState.USED):
            raise _refusal(approval)
        try:
            made = await self._made(turn, approval, toolbox)
        except ApprovalSpentError as spent:
            raise NotApprovedError(Text("approval_spent")) from spent
        except OutcomeUnknownError as unknown:
            await self._deciding.conclude(approval.id, CallOutcome.UNKNOWN)
            unknown.said = wording.interrupted(_look(approval))
            raise
        await self._deciding.conclude(approval.id, _outcome(made))
        if "failed" in made:
            raise ToolError(said_from_json(made["failed"]))
        return result_from_json(made)

    async def _made(self, turn: Turn, approval: Approval, toolbox: Toolbox) -> Mapping[str, JSON]:
        name = f"{_CHANGE}:{approval.step_name}"
        can_resume = _can_resume(toolbox, approval.tool)
        steps = ChangingSteps(turn, name) if can_resume else None

        async def make() -> JSON:
            # Everything that it raises is its end, too: from here on nothing is tried again.
            approved = Approved(
                number=approval.id,
                args_hash=approval.args_hash,
                code=approval.code,
                by=approval.decided_by,
                resuming=turn.has_begun(name),
            )
            try:
                result = await toolbox.call(
                    approval.tool, approval.args, approved=approved, steps=steps
                )
            except ToolError as error:
                return {"failed": said_to_json(error.said), "in_doubt": error.in_doubt}
            return result_to_json(result)

        made: Mapping[str, JSON] = await turn.change(
            name,
            make,
            args=approval.args_hash,
            approval=approval,
            resumes=can_resume,
        )
        return made


def _can_resume(toolbox: Toolbox, name: str) -> bool:
    """Whether the tool tells by its steps what was done; not if it is gone, or not allowed now."""
    try:
        return toolbox.tool(name).resumes
    except ToolError:
        return False


def _refusal(approval: Approval) -> LycatraError:
    match approval.state:
        case ApprovalState.DENIED:
            return NotApprovedError(Text("was_denied", people=wording.people(approval.decided_by)))
        case ApprovalState.EXPIRED:
            return NotApprovedError(Text("was_not_decided"))
        case ApprovalState.WITHDRAWN if approval.why == Withdrawal.SUPERSEDED:
            return NotApprovedError(Text("was_superseded"))
        case ApprovalState.WITHDRAWN if approval.why == Withdrawal.NOT_SHOWN:
            return NotApprovedError(Text("card_not_shown"))
        case ApprovalState.WITHDRAWN:
            return NotApprovedError(Text("was_taken_back"))
        case _:
            return StillOpenError(f"approval {approval.code!r} is {approval.state}")


def _outcome(made: Mapping[str, JSON]) -> CallOutcome:
    if "failed" not in made:
        return CallOutcome.DONE
    return CallOutcome.UNKNOWN if made["in_doubt"] else CallOutcome.FAILED


def _look(approval: Approval) -> str | None:
    shown = Shown.of(approval)
    return shown.look if shown else None
