"""From a call that changes something to its end: who is asked, what the client reads meanwhile.

1. The wish gets a turn, which puts a card to people: the same approval as for every other face.
2. Where the person alone may decide and the client can ask, it does; the answer is a vote.
3. The call waits a while, telling so. Then the client reads what to do, and calls again: the
   same call by the same person finds its end, and nothing is done twice.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolRequestParams, CallToolResult, InputRequiredResult, TextContent
from mcp_types.jsonrpc import INVALID_PARAMS
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from lycatra_appservice.chat.approvals import wording
from lycatra_appservice.chat.approvals.keeping import result_from_json
from lycatra_appservice.mcp.bearer import Bearer
from lycatra_appservice.mcp.calls import Call, CallStore, Wish
from lycatra_appservice.mcp.changing import FAILED, RESULT
from lycatra_appservice.mcp.consent import KEY, Consent, answer_in
from lycatra_appservice.mcp.content import answer_of, refusal_of
from lycatra_appservice.mcp.endings import Endings
from lycatra_appservice.model import JSON
from lycatra_appservice.toolkit.approvals import NeedsApprovalError, rule_from_json
from lycatra_appservice.turns.approvals import Approval, Approvals
from lycatra_appservice.words.catalogue import in_english
from lycatra_appservice.words.spans import roughly
from lycatra_appservice.words.text import Text, said_from_json

AnyContext = ServerRequestContext[Any, Any]
Answer = CallToolResult | InputRequiredResult
_PUT_SECONDS: Final = 10.0  # for a free worker to put it to people
_LOOK_SECONDS: Final = 0.1
_FRESH: Final = timedelta(minutes=15)  # after that it is said how old an ending is
_TELL_SECONDS: Final = 5.0  # clients give up a call of which they hear nothing, after 60 mostly


@dataclass(frozen=True, slots=True, kw_only=True)
class _Occasion:
    context: AnyContext
    params: CallToolRequestParams
    needed: NeedsApprovalError


class ApprovalLadder:
    """Climbs it for one call."""

    def __init__(
        self,
        calls: CallStore,
        endings: Endings,
        approvals: Approvals,
        consent: Consent,
        wait: timedelta,
    ) -> None:
        """`wait` is how long a call is held for its approval."""
        self._calls = calls
        self._endings = endings
        self._approvals = approvals
        self._consent = consent
        self._wait = wait.total_seconds()

    async def climb(
        self,
        context: AnyContext,
        bearer: Bearer,
        params: CallToolRequestParams,
        needed: NeedsApprovalError,
    ) -> Answer:
        """See tools.Ladder."""
        occasion = _Occasion(context=context, params=params, needed=needed)
        call = await self._call(bearer, params)
        approval = await self._put_to_people(call)
        if approval is not None and await self._consent.is_enough(context, approval):
            question = await self._asked(occasion, call, approval)
            if question is not None:
                return question
        return await self._awaited(occasion, call)

    async def _call(self, bearer: Bearer, params: CallToolRequestParams) -> Call:
        if params.request_state is not None:
            # Sealed for this person and these arguments: it names a call of exactly these.
            known = await self._calls.get(params.request_state)
            if known is None:
                raise MCPError(INVALID_PARAMS, "Invalid or expired requestState")
            return known
        wish = Wish(
            person=bearer.caller.user_id,
            client=bearer.name,
            token_id=bearer.token_id,
            room_id=bearer.caller.room_id,
            tool=params.name,
            args=params.arguments or {},
        )
        return await self._calls.join(wish)

    async def _put_to_people(self, call: Call) -> Approval | None:
        """The approval, once there is one; None when the call has ended, or it takes long."""
        clock = asyncio.get_running_loop().time
        until = clock() + _PUT_SECONDS
        while clock() < until and not self._endings.is_hurried:
            approval = await self._approvals.latest(call.trigger_id)
            if approval is not None:
                return approval
            call = await self._endings.wait(call, _LOOK_SECONDS)
            if call.ending is not None or call.is_forsaken:
                return None
        return None

    async def _asked(
        self, occasion: _Occasion, call: Call, approval: Approval
    ) -> InputRequiredResult | None:
        """Have the client ask; a question, where it comes back with the answer."""
        context = occasion.context
        if context.protocol_version in MODERN_PROTOCOL_VERSIONS:
            answers = occasion.params.input_responses or {}
            if KEY not in answers:
                return self._consent.question(call, occasion.needed)
            answer = answer_in(answers[KEY])
        elif context.session.can_send_request:
            answer = await self._consent.ask(context, call, occasion.needed, self._endings)
        else:
            return None
        if answer is not None:
            await self._consent.vote(approval, yes=answer)
        return None

    async def _awaited(self, occasion: _Occasion, call: Call) -> CallToolResult:
        clock = asyncio.get_running_loop().time
        until, told = clock() + self._wait, 0
        while True:
            call = await self._endings.wait(call, min(_TELL_SECONDS, until - clock()))
            if call.ending is not None or call.is_forsaken:
                return await self._ended(call)
            approval = await self._approvals.latest(call.trigger_id)
            words = in_english(_waiting(call, approval))
            if self._endings.is_hurried or clock() >= until:
                return _still_waiting(words, approval)
            told += 1
            await occasion.context.session.report_progress(told, None, words)

    async def _ended(self, call: Call) -> CallToolResult:
        await self._calls.fetched(call.id)
        if call.ending is None:
            return refusal_of(in_english(Text("mcp_forsaken")))
        answer = _answer_in(call.ending)
        if call.ended_ago < _FRESH:
            return answer
        when = TextContent(type="text", text=in_english(_long_ago(call)))
        return answer.model_copy(update={"content": [when, *answer.content]})


def _answer_in(ending: Mapping[str, JSON]) -> CallToolResult:
    if RESULT in ending:
        return answer_of(result_from_json(ending[RESULT]))
    return refusal_of(in_english(said_from_json(ending[FAILED])))


def _long_ago(call: Call) -> Text:
    """It may be asked for anew, by somebody who has forgotten the first time."""
    return Text("mcp_ended_before", tool=call.wish.tool, span=roughly(call.ended_ago))


def _waiting(call: Call, approval: Approval | None) -> Text:
    if approval is None or approval.card_room is None:
        return Text("mcp_not_begun", tool=call.wish.tool)
    who = wording.approvers(rule_from_json(approval.rule), approval.requester)
    return Text(
        "mcp_waiting",
        code=approval.code,
        room=f"https://matrix.to/#/{approval.card_room}",
        who=who,
        tool=call.wish.tool,
    )


def _still_waiting(words: str, approval: Approval | None) -> CallToolResult:
    code = approval.code if approval else None
    return CallToolResult(
        content=[TextContent(type="text", text=words)],
        structured_content={"status": "waiting_for_approval", "approval": code},
    )
