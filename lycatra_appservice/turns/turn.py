"""What a handler works with: its trigger, a journal for what it does, and a way to send."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import NoReturn, Protocol

from lycatra_appservice.db.connection import Connection
from lycatra_appservice.errors import LycatraError, OutcomeUnknownError
from lycatra_appservice.model import JSON, EventID, LaneKind, Outgoing, RoomID
from lycatra_appservice.turns.approvals import Approval, ApprovalState, NewApproval, Withdrawal
from lycatra_appservice.turns.deadline import Deadline
from lycatra_appservice.turns.drafts import DraftRows
from lycatra_appservice.turns.journal import Journal, hash_arguments
from lycatra_appservice.turns.progress import ProgressRows
from lycatra_appservice.turns.records import (
    CancelledByPersonError,
    Lease,
    MovedError,
    ParkedError,
    StoredStep,
    StoredTurn,
    lane_in_background,
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
        approvals: Sequence[Approval] = (),
        deadline: Deadline | None = None,
    ) -> None:
        """`approvals` are those that this run has waited for, as they stand now."""
        self.deadline = deadline or Deadline(timedelta.max)  # of this run; entered by its runner
        self._stored = stored
        self._lease = lease
        self._journal = journal
        self._sending = sending
        self._steps = steps
        self._approvals = {approval.step_name: approval for approval in approvals}
        # The rows of cards are counted where they were written, whatever was sent before them.
        self._of_cards = frozenset(
            n for each in approvals for n in range(each.first_n, each.first_n + each.sends)
        )
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
    def has_journal(self) -> bool:
        """Whether an earlier run has left steps, which this one goes through again."""
        return bool(self._steps)

    @property
    def next_n(self) -> int:
        """The number of the reply's first row, after all that was sent already."""
        return max(self._next_n, *(n + 1 for n in self._of_cards), 0)

    async def step(
        self,
        name: str,
        run: Callable[[], Awaitable[JSON]],
        *,
        args: JSON = None,
        beside: Callable[[Connection, JSON], Awaitable[None]] | None = None,
    ) -> JSON:
        """Run something and keep its result; only a crash before its end makes it run again.

        The result must be what json.dumps takes. `beside` gets it, and writes more into the
        commit that keeps it. Raises CancelledByPersonError when the person has taken the question
        back.
        """
        args_hash = hash_arguments(args)
        known = self._known(name, args_hash)
        if known is not None and known.done:
            return known.output
        await self.check_cancelled()
        output = await run()
        await self._journal.record(
            self._lease,
            self._stored,
            name,
            args_hash,
            done=True,
            output=output,
            beside=None if beside is None else _with(beside, output),
        )
        return output

    async def decide(self, name: str, run: Callable[[Connection], Awaitable[JSON]]) -> JSON:
        """The same for what is decided in the database, by the commit that keeps the decision.

        So what the decision has used up is used up once, however often the turn is run.
        """
        args_hash = hash_arguments(None)
        known = self._known(name, args_hash)
        if known is not None and known.done:
            return known.output
        return await self._journal.decide(self._lease, self._stored, name, args_hash, run)

    async def change(
        self,
        name: str,
        run: Callable[[], Awaitable[JSON]],
        *,
        args: JSON = None,
        approval: Approval | None = None,
        resumes: bool = False,
    ) -> JSON:
        """Run something that changes the world at most once.

        With an `approval` it is used up by the commit that journals the start. Raises
        ApprovalSpentError, with nothing begun, when it cannot be used; OutcomeUnknownError when
        an earlier run had started it and its end is not known, unless it `resumes`: what keeps
        steps of its own is run again, to go on after the last of them.
        """
        args_hash = hash_arguments(args)
        known = self._known(name, args_hash)
        if known is None:
            await self._begin(name, args_hash, approval)
        elif known.done:
            return known.output
        elif not resumes:
            raise OutcomeUnknownError(f"step {name!r} had started and has no end")
        output = await run()
        await self._journal.record(
            self._lease, self._stored, name, args_hash, done=True, output=output
        )
        return output

    async def settle(self, name: str, output: JSON) -> None:
        """Give an end to a step that an earlier run had begun: from now on this is its output."""
        known = self._steps[name]
        await self._journal.record(
            self._lease, self._stored, name, known.args_hash, done=True, output=output
        )

    def has_begun(self, name: str) -> bool:
        """Whether an earlier run had started a step and not ended it."""
        known = self._steps.get(name)
        return known is not None and not known.done

    async def send(self, out: Outgoing) -> EventID | None:
        """Send something now and return its event id; None when it could not be sent for good.

        For what the handler needs the id of. After a crash the stored id comes back and nothing
        is sent twice.
        """
        n = self._free_n()
        self._next_n = n + 1
        pending = await self._journal.write_send(self._lease, self._stored, n, out)
        if pending is not None:
            await self._sending.send_now(self._lease, self._stored, pending)
        event_id = await self._journal.sent_event(self._stored, n)
        return EventID(event_id) if event_id else None

    def progress(self) -> ProgressRows:
        """What this run shows of a slow call, without being an answer."""
        return ProgressRows(self._journal, self._sending, self._lease, self._stored)

    def draft(self) -> DraftRows:
        """What this run shows of its answer while that is being made."""
        return DraftRows(self._journal, self._sending, self._lease, self._stored)

    @property
    def withdrawn_tool(self) -> str | None:
        """The tool that this run has waited to call, and that is not there any more."""
        return next(
            (each.tool for each in self._approvals.values() if each.why == Withdrawal.TOOL_GONE),
            None,
        )

    @property
    def approved_tools(self) -> Sequence[str]:
        """The tools whose calls people have let through in this run, each once, as asked."""
        through = (ApprovalState.APPROVED, ApprovalState.USED)
        asked = self._approvals.values()
        return list(dict.fromkeys(each.tool for each in asked if each.state in through))

    def approval(self, step_name: str) -> Approval | None:
        """What was asked before this step, as it stood when this run began."""
        return self._approvals.get(step_name)

    async def park(self, new: NewApproval, rows: Sequence[Outgoing]) -> NoReturn:
        """Ask people before a step, and let later turns pass; exactly one row is the card.

        Ends the handler by ParkedError. It runs again when it is decided, with the same journal.
        Raises, with nothing asked, CodeTakenError, or CancelledByPersonError when the person
        has taken it back.
        """
        n = self.next_n
        approval_id = await self._journal.park(self._lease, self._stored, new, n, rows)
        raise ParkedError(f"turn {self.trigger_id!r} waits for an approval", approval_id, n)

    async def go_on_in_background(self, room_id: RoomID, name: str) -> None:
        """Do the rest where it may take long, and keep nobody waiting meanwhile.

        Does nothing where it is there already. Else ends the handler by MovedError; it runs again
        from there, with the same journal, after all of this room that has the same `name`.
        """
        if self.kind is LaneKind.BACKGROUND:
            return
        await self._journal.move(self._lease, self._stored, lane_in_background(room_id, name))
        raise MovedError(f"turn {self.trigger_id!r} goes on in the background")

    async def check_cancelled(self) -> None:
        """Raise CancelledByPersonError when the person has taken the question back."""
        if await self._journal.is_cancel_requested(self._stored):
            raise CancelledByPersonError(f"turn {self.trigger_id!r} was taken back")

    async def _begin(self, name: str, args_hash: str, approval: Approval | None) -> None:
        await self.check_cancelled()
        beside = partial(self._journal.use, approval=approval) if approval else None
        await self._journal.record(
            self._lease, self._stored, name, args_hash, done=False, output=None, beside=beside
        )

    def _free_n(self) -> int:
        n = self._next_n
        while n in self._of_cards:
            n += 1
        return n

    def _known(self, name: str, args_hash: str) -> StoredStep | None:
        known = self._steps.get(name)
        if known is not None and known.args_hash != args_hash:
            raise ChangedCodeError(f"step {name!r} was journaled with other arguments")
        return known


def _with(
    beside: Callable[[Connection, JSON], Awaitable[None]], output: JSON
) -> Callable[[Connection], Awaitable[None]]:
    def write(connection: Connection) -> Awaitable[None]:
        return beside(connection, output)

    return write


class TurnHandler(Protocol):
    """What the worker calls; the chat gives it."""

    async def handle(self, turn: Turn) -> Sequence[Outgoing]:
        """Do what the trigger asks and return what to say. May run again after a crash."""

    async def apologise(self, stored: StoredTurn, error: LycatraError) -> Sequence[Outgoing]:
        """Say in one line why there is no answer. It should ask nothing but the database."""
