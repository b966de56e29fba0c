"""What the worker calls: every stored trigger to the handler that knows what to do with it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from lycatra_appservice.chat.compose import Composer
from lycatra_appservice.chat.handlers.membership import MembershipHandler
from lycatra_appservice.chat.handlers.message import MessageHandler
from lycatra_appservice.errors import LycatraError
from lycatra_appservice.matrix.events import age_of, mapping, read_inbound
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import JSON, Inbound, Outgoing
from lycatra_appservice.turns.records import StoredTurn
from lycatra_appservice.turns.turn import Turn

Job = Callable[[Turn], Awaitable[Sequence[Outgoing]]]


class Dispatcher:
    """The TurnHandler of the chat. `jobs` are the schedules, by name."""

    def __init__(
        self,
        users: VirtualUsers,
        composer: Composer,
        message: MessageHandler,
        membership: MembershipHandler,
        jobs: Mapping[str, Job],
    ) -> None:
        self._users = users
        self._composer = composer
        self._message = message
        self._membership = membership
        self._jobs = jobs

    async def handle(self, turn: Turn) -> Sequence[Outgoing]:
        """Do what the trigger asks."""
        if turn.trigger_id.startswith("cron:"):
            return await self._scheduled(turn)
        event = mapping(turn.input.get("event"))
        if "state_key" in event:
            return await self._state(turn, event)
        if event.get("type") != "m.room.message":
            return ()
        inbound = _inbound(turn.input, turn.created_at_ms)
        if inbound.replaces is not None:
            return ()
        return await self._message.handle(turn, inbound)

    def apologise(self, stored: StoredTurn, error: LycatraError) -> Sequence[Outgoing]:
        """Say in one line why there is no answer; nothing where nobody asked."""
        event = mapping(stored.input.get("event"))
        # A journal shows that the message turned out to be ours, in a DM for example.
        ours = stored.journaled or stored.input.get("surely")
        if event.get("type") != "m.room.message" or not ours:
            return ()
        return self._message.apologise(_inbound(stored.input, stored.created_at_ms), error)

    async def _state(self, turn: Turn, event: Mapping[str, JSON]) -> Sequence[Outgoing]:
        is_invitation = (
            event["type"] == "m.room.member"
            and mapping(event["content"]).get("membership") == "invite"
            and self._users.is_ours(event["state_key"])
        )
        if is_invitation:
            return await self._membership.invited(turn, event)
        await self._membership.changed(event, is_late=turn.input.get("via") == "sync")
        return ()

    async def _scheduled(self, turn: Turn) -> Sequence[Outgoing]:
        name = turn.trigger_id.split(":")[1]
        job = self._jobs.get(name)
        # A schedule of a newer version, or one that was given up: its slot is simply over.
        return await job(turn) if job else ()


def _inbound(stored: Mapping[str, JSON], created_at_ms: int) -> Inbound:
    event = stored["event"]
    return read_inbound(event, age_of(event, stored["age_ms"], created_at_ms))
