"""What a handler works with: its trigger, a journal for what it does, and a way to send."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from lycatra_appservice.errors import LycatraError, OutcomeUnknownError
from lycatra_appservice.model import JSON, EventID, LaneKind, Outgoing
from lycatra_appservice.turns.journal import Journal, hash_arguments
from lycatra_appservice.turns.records import (
    CancelledByPersonError,
    Lease,
    StoredStep,
    StoredTurn,
)
from lycatra_appservice.turns.sending import Sending


class ChangedCodeError(LycatraError):
    """A journaled step has other arguments now: the program changed under the turn."""


class Turn:
    """One running turn. Its steps run once: a resumed turn gets their stored outputs.

    Names of steps and the order of sends must be the same in every run of the same turn; what
    may differ between runs (the time, a model's answer, a look-up) belongs inside a step.
    """

    def __init__(
        self,
        stored: StoredTurn,
        lease: Lease,
        journal: Journal,
        sending: Sending,
        steps: Mapping[str, StoredStep],
    ) -> None:
        self._stored = stored
        self._lease = lease
        self._journal = journal
        self._sending = sending
        self._steps = steps
        self._next_n = stored.first_n

    @property
    def trigger_id(self) -> str:
        """The event id, or `cron:…`, `hook:…`, `mcp:…`."""
        return self._stored.trigger_id

    @property
    def kind(self) -> LaneKind:
        """The kind of its lane."""
        return self._lease.kind

    @property
    def input(self) -> Mapping[str, JSON]:
        """What was stored for it."""
        return self._stored.input

    @property
    def created_at_ms(self) -> int:
        """When it was stored, in milliseconds of the database's clock."""
        return self._stored.created_at_ms

    @property
    def first_n(self) -> int:
        """The number of this run's first row; another one when the question was changed."""
        return self._stored.first_n

    @property
    def next_n(self) -> int:
        """The number of the next row; the reply's rows come after what was sent already."""
        return self._next_n

    async def step(
        self, name: str, run: Callable[[], Awaitable[JSON]], *, args: JSON = None
    ) -> JSON:
        """Run something and keep its result; only a crash before its end makes it run again.

        The result must be what json.dumps takes. Raises CancelledByPersonError when the person
        has taken the question back.
        """
        args_hash = hash_arguments(args)
        known = self._known(name, args_hash)
        if known is not None and known.done:
            return known.output
        await self.check_cancelled()
        output = await run()
        await self._journal.record(
            self._lease, self._stored, name, args_hash, done=True, output=output
        )
        return output

    async def change(
        self, name: str, run: Callable[[], Awaitable[JSON]], *, args: JSON = None
    ) -> JSON:
        """Run something that changes the world at most once.

        Raises OutcomeUnknownError when an earlier run had started it and its end is not known.
        """
        args_hash = hash_arguments(args)
        known = self._known(name, args_hash)
        if known is not None:
            if known.done:
                return known.output
            raise OutcomeUnknownError(f"step {name!r} had started and has no end")
        await self.check_cancelled()
        await self._journal.record(
            self._lease, self._stored, name, args_hash, done=False, output=None
        )
        output = await run()
        await self._journal.record(
            self._lease, self._stored, name, args_hash, done=True, output=output
        )
        return output

    async def send(self, out: Outgoing) -> EventID | None:
        """Send something now and return its event id; None when it could not be sent for good.

        For what the handler needs the id of. After a crash the stored id comes back and nothing
        is sent twice.
        """
        n = self._next_n
        self._next_n += 1
        pending = await self._journal.write_send(self._lease, self._stored, n, out)
        if pending is not None:
            await self._sending.send_now(self._lease, self._stored, pending)
        event_id = await self._journal.sent_event(self._stored, n)
        return EventID(event_id) if event_id else None

    async def check_cancelled(self) -> None:
        """Raise CancelledByPersonError when the person has taken the question back."""
        if await self._journal.is_cancel_requested(self._stored):
            raise CancelledByPersonError(f"turn {self.trigger_id!r} was taken back")

    def _known(self, name: str, args_hash: str) -> StoredStep | None:
        known = self._steps.get(name)
        if known is not None and known.args_hash != args_hash:
            raise ChangedCodeError(f"step {name!r} was journaled with other arguments")
        return known


class TurnHandler(Protocol):
    """What the worker calls; the chat gives it."""

    async def handle(self, turn: Turn) -> Sequence[Outgoing]:
        """Do what the trigger asks and return what to say. May run again after a crash."""

    async def apologise(self, stored: StoredTurn, error: LycatraError) -> Sequence[Outgoing]:
        """Say in one line why there is no answer. It should ask nothing but the database."""
