"""Wiring of approvals: asking for them, reading votes, and what comes of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from lycatra_appservice.app.coming_and_going import Ground
from lycatra_appservice.audit.trail import AuditTrail
from lycatra_appservice.chat.approvals.desk import ApprovalDesk
from lycatra_appservice.chat.approvals.electorate import Electorate
from lycatra_appservice.chat.approvals.ending import CardEnding
from lycatra_appservice.chat.approvals.forsaken import Forsaken
from lycatra_appservice.chat.approvals.judging import Judge
from lycatra_appservice.chat.approvals.refusals import Refusals
from lycatra_appservice.chat.approvals.settling import Settling
from lycatra_appservice.chat.approvals.voting import Voting
from lycatra_appservice.chat.compose import Composer
from lycatra_appservice.chat.handlers.dispatch import Job
from lycatra_appservice.chat.language import Tongue
from lycatra_appservice.chat.news.again import Renewal
from lycatra_appservice.chat.unasked import NoticeStore
from lycatra_appservice.turns.approvals import CARD, JUDGE, Approvals
from lycatra_appservice.turns.deciding import Deciding
from lycatra_appservice.turns.votes import VoteStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Approving:
    """What handlers need of approvals, and the jobs that these ask for."""

    desk: ApprovalDesk
    settling: Settling
    voting: Voting
    forsaken: Forsaken
    votes: VoteStore
    electorate: Electorate
    judge: Judge
    jobs: Mapping[str, Job]


def build_approving(
    ground: Ground,
    composer: Composer,
    tongue: Tongue,
    trail: AuditTrail,
    zone: ZoneInfo,
    now: Callable[[], datetime],
) -> Approving:
    """Put them together."""
    approvals, votes = Approvals(ground.database), VoteStore(ground.database)
    deciding = Deciding(ground.database)
    electorate = Electorate(ground.rights, ground.rooms)
    judge = Judge(votes, deciding, electorate, zone, now)
    notices = NoticeStore(ground.database)
    voting = Voting(
        approvals, votes, judge, deciding, notices, composer, zone, now, Renewal(ground.inbox)
    )
    return Approving(
        desk=ApprovalDesk(
            ground.users, ground.rooms, electorate, Refusals(trail), composer, deciding, zone, now
        ),
        settling=Settling(deciding),
        voting=voting,
        forsaken=Forsaken(approvals, deciding, ground.rooms),
        votes=votes,
        electorate=electorate,
        judge=judge,
        jobs={CARD: CardEnding(approvals, ground.client, tongue).run, JUDGE: voting.read_early},
    )
