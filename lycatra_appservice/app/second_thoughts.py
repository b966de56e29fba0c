"""Wiring of what people do to what they have asked: edits, redactions, reactions, `!stop`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lycatra_appservice.app.coming_and_going import Ground
from lycatra_appservice.audit.store import AuditStore
from lycatra_appservice.chat.approvals.voting import Voting
from lycatra_appservice.chat.asking import AsTrigger
from lycatra_appservice.chat.brought_along import BroughtAlong
from lycatra_appservice.chat.compose import Composer
from lycatra_appservice.chat.conversation import ConversationStore
from lycatra_appservice.chat.handlers.dispatch import Job
from lycatra_appservice.chat.handlers.edit import EditHandler
from lycatra_appservice.chat.handlers.reaction import ReactionHandler
from lycatra_appservice.chat.handlers.redaction import RedactionHandler
from lycatra_appservice.chat.handlers.stop import StopHandler
from lycatra_appservice.chat.magnifier import Magnifier
from lycatra_appservice.chat.originals import Originals
from lycatra_appservice.chat.reading import Reader
from lycatra_appservice.chat.retraction import FORGET, Retraction
from lycatra_appservice.chat.rewording import Rewording
from lycatra_appservice.chat.sources import SourcesPage
from lycatra_appservice.chat.stop_sign import StopSign
from lycatra_appservice.chat.stopping import Stopping
from lycatra_appservice.chat.unasked import NoticeStore
from lycatra_appservice.intake.sorter import EventSorter
from lycatra_appservice.matrix.crypto.raw_inbox import RawInbox
from lycatra_appservice.model import JSON, Inbound
from lycatra_appservice.toolkit.state import StateStore
from lycatra_appservice.turns.forgetting import Forgetting
from lycatra_appservice.turns.known import KnownTurns
from lycatra_appservice.turns.questions import QuestionTable
from lycatra_appservice.turns.records import Trigger
from lycatra_appservice.turns.revisions import Memory, Revisions
from lycatra_appservice.turns.timers import TimerTable


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondThoughts:
    """The handlers, and the jobs that they ask for."""

    edit: EditHandler
    redaction: RedactionHandler
    reaction: ReactionHandler
    stop: StopHandler
    jobs: Mapping[str, Job]


def as_trigger_by(sorter: EventSorter) -> AsTrigger:
    """What the way in would store of an event, so that both agree on what is ours."""

    def made(event: Mapping[str, JSON], via: str) -> Trigger | None:
        triggers = sorter.sort([event], via=via).triggers
        return triggers[0] if triggers else None

    return made


def build_second_thoughts(
    ground: Ground,
    conversations: ConversationStore,
    composer: Composer,
    sources: SourcesPage,
    as_trigger: AsTrigger,
    voting: Voting,
    reader: Reader,
) -> SecondThoughts:
    """Put them together."""

    def words_of(inbound: Inbound) -> str:
        reading = reader.read(inbound)
        return reading.words or reading.core

    database, inbox = ground.database, ground.inbox
    known = KnownTurns(database)
    memories: Sequence[Memory] = [
        conversations,
        AuditStore(database),
        TimerTable(database),
        QuestionTable(database),
        StateStore(database),
    ]
    revisions = Revisions(database, memories)
    originals = Originals(ground.client, ground.rooms, ground.users, ground.seals)
    rewording = Rewording(known, originals, revisions, inbox, as_trigger, conversations, words_of)
    forgetting = Forgetting(database, memories)
    brought = BroughtAlong(conversations, known, revisions, forgetting, as_trigger)
    stopping = Stopping(known, revisions, ground.rights)
    stop_sign = StopSign(known, stopping, voting, ground.users, ground.rooms, composer)
    retraction = Retraction(known, forgetting, brought, ground.client)
    notices = NoticeStore(database)
    magnifier = Magnifier(ground.rooms, ground.rights, sources, composer)
    return SecondThoughts(
        edit=EditHandler(ground.users, ground.rooms, rewording, composer, notices),
        redaction=RedactionHandler(
            known,
            originals,
            revisions,
            rewording,
            voting,
            inbox,
            brought,
            RawInbox(database) if ground.seals else None,
        ),
        reaction=ReactionHandler(known, stop_sign, voting, magnifier, inbox, as_trigger),
        stop=StopHandler(stopping, composer),
        jobs={FORGET: retraction.run},
    )
