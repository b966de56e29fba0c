"""What the worker calls: every stored trigger to the handler that knows what to do with it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from lycatra_appservice.chat.handlers.message import MessageHandler
from lycatra_appservice.errors import LycatraError
from lycatra_appservice.matrix.events import age_of, mapping, read_inbound
from lycatra_appservice.matrix.users import VirtualUsers
from lycatra_appservice.model import JSON, Inbound, Outgoing
from lycatra_appservice.turns.records import StoredTurn
from lycatra_appservice.turns.turn import Turn

Job: TypeAlias = Callable[[Turn], Awaitable[Sequence[Outgoing]]]


class EventHandler(Protocol):
    """Does what one kind of event asks."""

    async def handle(self, turn: Turn, event: Mapping[str, JSON]) -> Sequence[Outgoing]:
        """Return what to say. The event's ids and content were checked on the way in."""


class InboundHandler(Protocol):
    """Does what a message asks that is read like one."""

    async def handle(self, turn: Turn, inbound: Inbound) -> Sequence[Outgoing]:
        """Return what to say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handlers:
    """One for each kind of trigger.

    `schedules` are the jobs of the leader by name; `jobs` the turns that handlers ask for
    themselves, by what stands before the colon of their trigger id.
    """

    message: MessageHandler
    edit: InboundHandler
    redaction: EventHandler
    reaction: EventHandler
    encrypted: EventHandler
    invitation: EventHandler
    state: EventHandler
    schedules: Mapping[str, Job]
    jobs: Mapping[str, Job]


class Dispatcher:
    """The TurnHandler of the chat."""

    def __init__(self, users: VirtualUsers, handlers: Handlers) -> None:
        self._users = users
        self._handlers = handlers
        self._by_type = {
            "m.room.redaction": handlers.redaction,
            "m.reaction": handlers.reaction,
            "m.room.encrypted": handlers.encrypted,
        }

    async def handle(self, turn: Turn) -> Sequence[Outgoing]:
        """Do what the trigger asks."""
        job = self._job_of(turn.trigger_id)
        if job is not None:
            return await job(turn)
        event = mapping(turn.input.get("event"))
        if "state_key" in event:
            return await self._state(turn, event)
        if event.get("type") == "m.room.message":
            return await self._message(turn)
        handler = self._by_type.get(event.get("type", ""))
        return await handler.handle(turn, event) if handler else ()

    async def apologise(self, stored: StoredTurn, error: LycatraError) -> Sequence[Outgoing]:
        """Say in one line why there is no answer; nothing where nobody asked."""
        if mapping(stored.input.get("event")).get("type") != "m.room.message":
            return ()
        # A journal shows that the message turned out to be ours, in a DM for example.
        surely_ours = stored.journaled or bool(stored.input.get("surely"))
        return await self._handlers.message.apologise(
            _inbound(stored.input, stored.created_at_ms),
            error,
            at_ms=stored.created_at_ms,
            surely_ours=surely_ours,
        )

    def _job_of(self, trigger_id: str) -> Job | None:
        """None also for a job of a newer version, or one that was given up: it is simply over."""
        kind, _, rest = trigger_id.partition(":")
        if kind == "cron":
            return self._handlers.schedules.get(rest.partition(":")[0])
        return self._handlers.jobs.get(kind)

    async def _message(self, turn: Turn) -> Sequence[Outgoing]:
        inbound = _inbound(turn.input, turn.created_at_ms)
        if inbound.replaces is not None:
            return await self._handlers.edit.handle(turn, inbound)
        return await self._handlers.message.handle(turn, inbound)

    async def _state(self, turn: Turn, event: Mapping[str, JSON]) -> Sequence[Outgoing]:
        is_invitation = (
            event["type"] == "m.room.member"
            and mapping(event["content"]).get("membership") == "invite"
            and self._users.is_ours(event["state_key"])
        )
        handler = self._handlers.invitation if is_invitation else self._handlers.state
        return await handler.handle(turn, event)


def _inbound(stored: Mapping[str, JSON], created_at_ms: int) -> Inbound:
    event = stored["event"]
    return read_inbound(event, age_of(event, stored["age_ms"], created_at_ms))
