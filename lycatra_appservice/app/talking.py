"""Wiring of what a question is asked amid: earlier talk, quoted messages, pictures and files."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import datetime

from lycatra_appservice.app.coming_and_going import Ground
from lycatra_appservice.audit.store import AuditStore
from lycatra_appservice.chat.conversation import ConversationStore
from lycatra_appservice.chat.looking import Looking
from lycatra_appservice.chat.originals import Originals
from lycatra_appservice.chat.private_answers import PrivateAnswers
from lycatra_appservice.chat.quoting import Quoting
from lycatra_appservice.chat.surroundings import Gathering
from lycatra_appservice.turns.known import KnownTurns


@dataclass(frozen=True, slots=True, kw_only=True)
class Talking:
    """What looks back, and what looks at pictures and files."""

    gathering: Gathering
    looking: Looking


def build_talking(
    ground: Ground,
    conversations: ConversationStore,
    private: PrivateAnswers,
    flush_audit: Callable[[], Awaitable[None]],
    now: Callable[[], datetime],
) -> Talking:
    """Put them together."""
    known, audit = KnownTurns(ground.database), AuditStore(ground.database)

    async def tools_of(trigger_id: str) -> Collection[str]:
        await flush_audit()
        return {each.entry.tool for each in await audit.of_turn(trigger_id)}

    originals = Originals(ground.client, ground.rooms, ground.users, ground.seals)
    quoting = Quoting(ground.client, originals, known, ground.users, private, tools_of)
    looking = Looking(ground.client, ground.seals.files if ground.seals else None)
    gathering = Gathering(conversations, known, quoting, looking, private, ground.users, now)
    return Talking(gathering=gathering, looking=looking)
