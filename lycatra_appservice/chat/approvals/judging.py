"""Reading the votes by the rule under which they were asked for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from lycatra_appservice.chat.approvals.electorate import Electorate
from lycatra_appservice.model import RoomID, UserID
from lycatra_appservice.toolkit.approvals import Rule, rule_from_json
from lycatra_appservice.turns.approvals import Approval
from lycatra_appservice.turns.deciding import Deciding
from lycatra_appservice.turns.votes import Vote, VoteStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the votes came to. `ineligible` are voters whose votes do not count as things are."""

    rule: Rule
    decided: bool
    approving: int = 0
    ineligible: Sequence[UserID] = ()
    frozen_until: datetime | None = None  # in the configured time zone


class Judge:
    """Judges all votes anew each time: rights and rooms may have changed since."""

    def __init__(
        self,
        votes: VoteStore,
        deciding: Deciding,
        electorate: Electorate,
        zone: ZoneInfo,
        now: Callable[[], datetime],
    ) -> None:
        self._votes = votes
        self._deciding = deciding
        self._electorate = electorate
        self._zone = zone
        self._now = now

    async def judge(self, approval: Approval, room_id: RoomID) -> Verdict:
        """Read the votes on an open approval, whose card is in this room, and decide if they do.

        One refusal by who may decides; who asked may always give it up.
        """
        rule = rule_from_json(approval.rule)
        live = await self._votes.live(approval.id)
        counting = [vote for vote in live if await self._counts(vote, rule, approval, room_id)]
        against = next((vote for vote in counting if not vote.yes), None)
        if against is not None:
            decided = await self._deciding.decide(approval.id, [against], approved=False)
            return Verdict(rule=rule, decided=decided)
        in_favour = list({vote.voter: vote for vote in reversed(counting)}.values())[::-1]
        ineligible = {vote.voter for vote in live} - {vote.voter for vote in counting}
        frozen_until = rule.frozen_until(self._now().astimezone(self._zone))
        decided = False
        if len(in_favour) >= rule.quorum and frozen_until is None:
            decided = await self._deciding.decide(
                approval.id, in_favour[: rule.quorum], approved=True
            )
        return Verdict(
            rule=rule,
            decided=decided,
            approving=len(in_favour),
            ineligible=sorted(ineligible),
            frozen_until=frozen_until if in_favour else None,
        )

    async def _counts(self, vote: Vote, rule: Rule, approval: Approval, room_id: RoomID) -> bool:
        if not vote.yes and vote.voter == approval.requester:
            return True  # also from where he has asked, when the card is in another room
        return await self._electorate.may(rule, vote.voter, approval.requester, room_id)
