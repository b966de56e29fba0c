"""A client that can ask its person: the answer is a vote like any other, on the same approval."""

import asyncio
import secrets
from collections.abc import Mapping
from typing import Any, Final

from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import ElicitRequest, ElicitRequestFormParams, ElicitResult, InputRequiredResult

from lycatra_appservice.chat.approvals.electorate import Electorate
from lycatra_appservice.chat.approvals.judging import Judge
from lycatra_appservice.mcp.calls import Call
from lycatra_appservice.mcp.endings import Endings
from lycatra_appservice.model import JSON, EventID
from lycatra_appservice.toolkit.approvals import NeedsApprovalError, rule_from_json
from lycatra_appservice.turns.approvals import Approval
from lycatra_appservice.turns.votes import Vote, VoteStore
from lycatra_appservice.words.catalogue import in_english
from lycatra_appservice.words.text import Text

AnyContext = ServerRequestContext[Any, Any]
KEY: Final = "approve"  # of the one question, and of its one field
_FORM: Final[dict[str, JSON]] = {
    "type": "object",
    "properties": {
        KEY: {
            "type": "boolean",
            "title": "Let it happen",
            "description": "Whether this may be done now, once.",
            "default": False,
        }
    },
    "required": [KEY],
}
_ANSWER_SECONDS: Final = 300.0


class Consent:
    """Asks the client where its person alone may decide; everything else belongs into Matrix."""

    def __init__(
        self, electorate: Electorate, votes: VoteStore, judge: Judge, *, by_clients: bool
    ) -> None:
        """`by_clients`: whether the configuration lets clients ask at all."""
        self._electorate = electorate
        self._votes = votes
        self._judge = judge
        self._by_clients = by_clients

    async def is_enough(self, context: AnyContext, approval: Approval) -> bool:
        """Whether the client can ask, and its person's yes alone would let it through."""
        if not (self._by_clients and approval.is_open and _can_ask(context)):
            return False
        rule = rule_from_json(approval.rule)
        if rule.quorum > 1 or rule.not_requester or approval.card_room is None:
            return False
        person = approval.requester
        return await self._electorate.may(rule, person, person, approval.card_room)

    def question(self, call: Call, needed: NeedsApprovalError) -> InputRequiredResult:
        """The question of the revision of 2026: the client calls again with its answer."""
        params = ElicitRequestFormParams(message=_words(needed), requested_schema=_FORM)
        return InputRequiredResult(
            input_requests={KEY: ElicitRequest(params=params)}, request_state=call.id
        )

    async def ask(
        self, context: AnyContext, call: Call, needed: NeedsApprovalError, endings: Endings
    ) -> bool | None:
        """Ask within the answer of a session. None when nobody said yes or no.

        Given up when people in Matrix are faster.
        """
        asking = asyncio.ensure_future(
            context.session.elicit_form(_words(needed), _FORM, context.request_id)
        )
        deciding = asyncio.ensure_future(endings.wait(call, _ANSWER_SECONDS))
        try:
            await asyncio.wait({asking, deciding}, return_when=asyncio.FIRST_COMPLETED)
            return answer_in(asking.result()) if asking.done() else None
        except MCPError:
            return None  # the client could not ask after all
        finally:
            asking.cancel()
            deciding.cancel()
            await asyncio.gather(asking, deciding, return_exceptions=True)

    async def vote(self, approval: Approval, *, yes: bool) -> None:
        """Cast the person's vote and have all votes judged; one that comes too late is nothing."""
        if approval.card_room is None:
            return
        event_id = EventID(f"mcp:{approval.id}:{secrets.token_hex(8)}")
        vote = Vote(event_id=event_id, voter=approval.requester, yes=yes)
        await self._votes.cast(vote, approval)
        await self._judge.judge(approval, approval.card_room)


def answer_in(result: object) -> bool | None:
    """Yes, no, or neither: who closes a form has decided nothing."""
    if isinstance(result, ElicitResult):
        action, content = result.action, result.content
    elif isinstance(result, Mapping):
        action, content = result.get("action", "cancel"), result.get("content")
    else:
        return None
    if action == "accept":
        return isinstance(content, Mapping) and content.get(KEY) is True
    return False if action == "decline" else None


def _can_ask(context: AnyContext) -> bool:
    capabilities = context.session.client_capabilities
    asking = capabilities.elicitation if capabilities else None
    # Who declares nothing within it means forms: others came later.
    return asking is not None and (asking.form is not None or asking.url is None)


def _words(needed: NeedsApprovalError) -> str:
    """The same for the same call, or the client would be asked for ever."""
    lines = [needed.title]
    if needed.plan.target is not None:
        lines[0] = f"{needed.title}: {needed.plan.target}"
    lines += [f"- {step}" for step in needed.plan.steps]
    lines += [f"- {name}: {value}" for name, value in needed.shown.items()]
    return in_english(Text("mcp_question", card="\n".join(lines)))
