"""Votes by reaction and by word; and one line for who may not vote."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol
from zoneinfo import ZoneInfo

from lycatra_appservice.chat.approvals import wording
from lycatra_appservice.chat.approvals.card import Shown
from lycatra_appservice.chat.approvals.judging import Judge, Verdict
from lycatra_appservice.chat.compose import Composer
from lycatra_appservice.chat.control import ControlWord
from lycatra_appservice.chat.router import is_too_old
from lycatra_appservice.chat.routes import Control
from lycatra_appservice.chat.unasked import NoticeStore
from lycatra_appservice.matrix.events import age_of
from lycatra_appservice.matrix.room_view import RoomView
from lycatra_appservice.model import (
    JSON,
    Address,
    EventID,
    Inbound,
    Outgoing,
    Reply,
    RoomID,
    UserID,
)
from lycatra_appservice.turns.approvals import Approval, Approvals, ApprovalState, Withdrawal
from lycatra_appservice.turns.deciding import Deciding
from lycatra_appservice.turns.turn import Turn
from lycatra_appservice.turns.votes import Vote, VoteStore
from lycatra_appservice.words.text import Said


class RenewalPort(Protocol):
    """Who puts to people anew what they did not decide in time."""

    async def ask_for(self, approval: Approval, person: UserID) -> None:
        """In the name of a person, once for each approval."""


class Voting:
    """Everything here runs in the control lane. Our own reactions never come here."""

    def __init__(
        self,
        approvals: Approvals,
        votes: VoteStore,
        judge: Judge,
        deciding: Deciding,
        notices: NoticeStore,
        composer: Composer,
        zone: ZoneInfo,
        now: Callable[[], datetime],
        renewal: RenewalPort,
    ) -> None:
        self._approvals = approvals
        self._votes = votes
        self._judge = judge
        self._deciding = deciding
        self._notices = notices
        self._composer = composer
        self._zone = zone
        self._now = now
        self._renewal = renewal

    async def react(
        self, turn: Turn, event: Mapping[str, JSON], target: EventID, *, yes: bool
    ) -> Sequence[Outgoing]:
        """Take a reaction to what may be a card. One that is old, or says so, never counts."""
        age = age_of(event, turn.input["age_ms"], turn.created_at_ms)
        if is_too_old(age, only_reads=False):
            return ()
        vote = Vote(event_id=EventID(event["event_id"]), voter=UserID(event["sender"]), yes=yes)
        approval = await self._votes.cast_on(vote, target, RoomID(event["room_id"]))
        if approval is None:
            return ()
        if not approval.is_open:  # the card says how it ended
            if yes and approval.state in (ApprovalState.OPEN, ApprovalState.EXPIRED):
                await self._renewal.ask_for(approval, vote.voter)
            return ()
        verdict = await self._judge.judge(approval, RoomID(event["room_id"]))
        return await self._asides(turn, approval, verdict)

    async def read_early(self, turn: Turn) -> Sequence[Outgoing]:
        """The job: read votes that were there before it was known which event the card is."""
        approval = await self._approvals.get(int(turn.trigger_id.split(":")[1]))
        if approval is None or not approval.is_open or approval.card_room is None:
            return ()
        verdict = await self._judge.judge(approval, approval.card_room)
        return await self._asides(turn, approval, verdict)

    async def take_back(self, event_id: EventID) -> None:
        """A reaction or message was redacted: it may have been a vote, or a card."""
        await self._votes.withdraw(event_id)
        approval = await self._approvals.by_card(event_id)
        if approval is not None:
            await self._deciding.withdraw(approval.id, Withdrawal.NOT_SHOWN)

    async def goes_on(self, turn: Turn, trigger_id: str, said: Said) -> Sequence[Outgoing]:
        """One line, once, when what was asked is being done and is not broken off for anybody."""
        approval = await self._approvals.begun(trigger_id)
        if approval is None or not await self._first(f"begun|{approval.id}", turn):
            return ()
        return self._line(said, approval, turn, approval.room_id)

    async def handle(
        self, route: Control, turn: Turn, inbound: Inbound, room: RoomView
    ) -> Sequence[Outgoing]:
        """Take `!approve` or `!deny`, and say what it came to."""
        said = await self._by_word(route, inbound, room)
        reply = Reply(markdown=said, sender=route.speaker, notice=True)
        return self._composer.answer(reply, inbound, room)

    async def _by_word(self, route: Control, inbound: Inbound, room: RoomView) -> Said:
        approval = await self._meant(route.rest, room.room_id)
        if not isinstance(approval, Approval):
            return approval
        vote = Vote(
            event_id=inbound.event_id,
            voter=inbound.sender,
            yes=route.word is ControlWord.APPROVE,
        )
        await self._votes.cast(vote, approval)
        if not approval.is_open or approval.card_room is None:
            # A turn that is run again must not call its own decision too late.
            return _over(approval, vote)
        verdict = await self._judge.judge(approval, approval.card_room)
        return self._said(approval, verdict, vote)

    async def _meant(self, words: str, room_id: RoomID) -> Approval | Said:
        if words:
            return await self._approvals.by_code(words) or wording.unknown_code(words[:20])
        waiting = await self._approvals.open_in(room_id)
        if len(waiting) == 1:
            return waiting[0]
        if not waiting:
            return wording.nothing_waits()
        return wording.which_one([each.code for each in waiting])

    def _said(self, approval: Approval, verdict: Verdict, vote: Vote) -> Said:
        if verdict.decided:
            return wording.decided()
        if vote.voter in verdict.ineligible:
            return wording.may_not(vote.voter, wording.approvers(verdict.rule, approval.requester))
        if verdict.frozen_until is not None:
            return self._frozen(verdict.frozen_until)
        if vote.yes and verdict.approving < verdict.rule.quorum:
            return wording.counted(verdict.approving, verdict.rule.quorum)
        return wording.too_late()

    async def _asides(
        self, turn: Turn, approval: Approval, verdict: Verdict
    ) -> Sequence[Outgoing]:
        """One line for each whose vote does not count, once for each card."""
        if verdict.decided:
            return ()
        who = wording.approvers(verdict.rule, approval.requester)
        told: list[Said] = [
            wording.may_not(voter, who)
            for voter in verdict.ineligible
            if await self._first(f"vote|{approval.id}|{voter}", turn)
        ]
        frozen = verdict.frozen_until
        if frozen is not None and await self._first(f"vote|{approval.id}|frozen", turn):
            told.append(self._frozen(frozen))
        return [
            row for said in told for row in self._line(said, approval, turn, approval.card_room)
        ]

    async def _first(self, once: str, turn: Turn) -> bool:
        return await self._notices.take_once(once, turn.trigger_id)

    def _line(
        self, said: Said, approval: Approval, turn: Turn, room_id: RoomID | None
    ) -> Sequence[Outgoing]:
        shown = Shown.of(approval)
        if shown is None or room_id is None or approval.card_sender is None:
            return ()
        card = approval.card if room_id == approval.card_room else None
        address = Address(room_id=room_id, reply_to=card, thread=shown.thread)
        reply = Reply(markdown=said, sender=approval.card_sender, notice=True)
        return self._composer.line(reply, address, EventID(turn.trigger_id), shown.language)

    def _frozen(self, until: datetime) -> Said:
        return wording.vote_frozen(wording.moment(until, self._now().astimezone(self._zone)))


def _over(approval: Approval, vote: Vote) -> Said:
    is_own = vote.voter in approval.decided_by
    return wording.decided() if is_own else wording.too_late()
