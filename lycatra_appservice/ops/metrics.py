"""The service's own figures for Prometheus; other stages know this only by their observers.

Labels hold no user, room, event or made-up name. Help texts use the operator's words.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Final

from prometheus_client import (
    CONTENT_TYPE_PLAIN_0_0_4,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

from lycatra_appservice import __version__
from lycatra_appservice.agent.observing import ModelRequest
from lycatra_appservice.budgets.limits import Kind as BudgetKind
from lycatra_appservice.chat.handlers.invitation import UNKNOWN_USER
from lycatra_appservice.chat.unasked import Kind
from lycatra_appservice.chat.unasked import Outcome as UnaskedOutcome
from lycatra_appservice.matrix.invitations import Outcome as InvitationOutcome
from lycatra_appservice.model import Face, LaneKind, SendKind
from lycatra_appservice.ops.agent_figures import AgentFigures
from lycatra_appservice.ops.database_figures import DatabaseFigures
from lycatra_appservice.ops.instruments import Labelled, WithoutCreated
from lycatra_appservice.ops.model_figures import MeasuredModel, ModelFigures
from lycatra_appservice.toolkit.observing import UNKNOWN, Outcome

# How a request ends; what else the turn engine reports is a pause.
_ENDS: Final = ("done", "failed", "cancelled")
_PAUSES: Final = ("retried", "send_later", "handed_over", "lost")
_TRANSACTIONS: Final = ("stored", "nothing", "refused", "unreadable", "unavailable")
_HOOKS: Final = (
    "stored",
    "known",
    "nothing",
    "refused",
    "too_large",
    "unavailable",
    "failed",
    "unknown",
)
_PUT_OFF: Final = ("rate_limit", "unavailable")
_DROPS: Final = ("refused", "room_lost")
_ANSWERS: Final = (
    "ok",
    "truncated",
    "cut",
    "busy",
    "refused",
    "unreachable",
    "overflow",
    "timeout",
    "cancelled",
)

# A server whose list is another one every minute must not make the series grow for ever.
_MOST_TOOLS: Final = 1000
_SHORT: Final = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60)
_LONG: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 360)


class Metrics:
    """Made once for each process and handed to whoever has something to count.

    Each instance has a registry of its own, so that two services in one process do not mix.
    `tools` are the names of the tools there are; another name counts as `other`. `models` are
    the configured ones, `hooks` the names of those that are open.
    """

    def __init__(
        self,
        tools: Sequence[str] = (),
        models: Sequence[MeasuredModel] = (),
        hooks: Sequence[str] = (),
    ) -> None:
        self._registry = CollectorRegistry()
        self._tools = frozenset(tools)
        self._database = DatabaseFigures()
        self._registry.register(self._database)
        ProcessCollector(registry=self._registry)
        self._describe_build()
        self._make_intake(hooks)
        self._make_turns()
        self._make_sending()
        self._make_tools([*tools, UNKNOWN])
        self._models = ModelFigures(self._registry, models)
        self._agent = AgentFigures(self._registry, [*tools, UNKNOWN])
        self._make_upkeep()

    def exposition(self) -> tuple[bytes, str]:
        """Return all figures as text, and its content type."""
        return generate_latest(WithoutCreated(self._registry)), CONTENT_TYPE_PLAIN_0_0_4

    # --- the way in: IntakeObserver ---

    def transaction(self, outcome: str) -> None:
        """Synapse pushed; outcomes: stored, nothing, refused, unreadable, unavailable."""
        self._transactions.at(outcome).inc()

    def stored(self, new: int, known: int, dead: int) -> None:
        """Events were taken in: new ones, ones that came again, ones set aside as dead."""
        self._stored.inc(new)
        self._duplicates.inc(known)
        self._dead_letters.inc(dead)

    def hook_called(self, hook: str, outcome: str) -> None:
        """The HookObserver: one request; a hook that there is not counts as `other`."""
        self._hooks.at(hook, outcome).inc()

    # --- the turn engine: TurnObserver and WorkerObserver ---

    def turn_started(self, kind: LaneKind, waited: timedelta) -> None:
        """Work on a request begins; `waited` since it was stored."""
        self._turn_start.observe(waited.total_seconds())

    def turn_ended(self, kind: LaneKind, outcome: str, took: timedelta) -> None:
        """Count an end with its time, or a pause."""
        if outcome in _ENDS:
            self._turns.at(kind, outcome).inc()
            self._turn_seconds.at(kind).observe(took.total_seconds())
        else:
            self._pauses.at(kind, outcome).inc()

    def woken(self, by: str) -> None:
        """The worker looked for work: by `notify` or by `poll`."""
        self._wakes.at(by).inc()

    def slots(self, kind: LaneKind, used: int) -> None:
        """So many slots of a kind are in use now."""
        self._slots_used.at(kind).set(used)

    def recovered(self, lanes: int, reason: str = "dead_owner") -> None:
        """Conversations were freed from a replica that is gone, or found stranded."""
        self._recoveries.at(reason).inc(lanes)

    def lease_lost(self) -> None:
        """A conversation was taken from us while we worked on it."""
        self._lost_leases.inc()

    # --- sending ---

    def resend_found(self) -> None:
        """A reply whose fate was unknown was found in its room."""
        self._resends_found.inc()

    def row_sent(self, kind: SendKind) -> None:
        """One message, edit or the like is in its room."""
        self._sent.at(kind).inc()

    def row_put_off(self, reason: str) -> None:
        """The homeserver did not take one now; reasons: rate_limit, unavailable."""
        self._put_off.at(reason).inc()

    def row_dropped(self, reason: str) -> None:
        """A reply can never be sent; reasons: refused, room_lost."""
        self._drops.at(reason).inc()

    def invited(self, outcome: str) -> None:
        """One of our names was invited; outcomes: as invitations end, and unknown_user."""
        self._invitations.at(outcome).inc()

    def unasked(self, kind: str, outcome: str) -> None:
        """Something wanted to be said that nobody asked for: said, held_back, quiet."""
        self._unasked.at(kind, outcome).inc()

    def budget_refused(self, kind: str) -> None:
        """Something was not done because a limit is reached."""
        self._budget_refusals.at(kind).inc()

    # --- tools and the model ---

    def learn_tools(self, tools: Sequence[str]) -> None:
        """There are these, too: a remote server has them. Those that were there stay."""
        new = [tool for tool in tools if tool not in self._tools]
        room = max(0, _MOST_TOOLS - len(self._tools))
        self._tools |= frozenset(new[:room])
        for each in (self._tool_calls, self._tool_seconds):
            each.learn("tool", new[:room])
        self._agent.learn_tools(new[:room])

    def called(self, tool: str, face: Face, outcome: str, seconds: float) -> None:
        """The gate's CallObserver: one call, refused ones too."""
        self._tool_calls.at(tool, face, outcome).inc()
        if outcome in (Outcome.OK, Outcome.TIMEOUT, Outcome.FAILED, Outcome.CRASHED):
            self._tool_seconds.at(tool).observe(seconds)
            if face is Face.AGENT:
                self._agent.tool_ran(tool, outcome, seconds)

    def agent_invoked(self, seconds: float, error: str) -> None:
        """A question was worked on to its end."""
        self._agent.invoked(seconds, error)

    def call_mistaken(self, kind: str) -> None:
        """The model called wrongly: arguments, unknown_tool."""
        self._agent.mistaken(kind)

    def agent_stopped(self, reason: str) -> None:
        """The model had to be ended: same_call, mistakes, requests."""
        self._agent.stopped(reason)

    def prompt_trimmed(self, what: str) -> None:
        """A prompt was too long: results, turns."""
        self._agent.trimmed(what)

    def model_answered(self, request: ModelRequest) -> None:
        """One request to a language model ended."""
        self._llm_seconds.at(request.outcome).observe(request.seconds)
        self._models.answered(request)

    def fell_back(self, backend: str) -> None:
        """A request went on to the next model, because this one failed."""
        self._models.fell_back(backend)

    def prompt_cut(self, backend: str) -> None:
        """A prompt was probably cut silently by the server."""
        self._models.prompt_cut(backend)

    def model_waited(self, backend: str, seconds: float) -> None:
        """A request has got its place at a model after so long."""
        self._models.waited(backend, seconds)

    def model_waiting(self, backend: str, requests: int) -> None:
        """So many requests of this replica wait for a model now."""
        self._models.waiting(backend, requests)

    def model_refused(self, backend: str) -> None:
        """A request was refused, because too many wait for the model."""
        self._models.refused(backend)

    def model_wait_expired(self, backend: str, requests: int) -> None:
        """Requests of replicas that are gone were dropped."""
        self._models.wait_expired(backend, requests)

    def show_resting(self, resting: Mapping[str, Callable[[], bool]]) -> None:
        """Take what tells, by backend, whether a model is left alone now."""
        self._models.show_resting(resting)

    # --- upkeep ---

    def drained(self, took: timedelta) -> None:
        """The worker gave back everything before the process ends."""
        self._drain.observe(took.total_seconds())

    def gaps_checked(self, found: int, ours: int) -> None:
        """The gap check saw events that no push had brought; `ours` of them were for us."""
        self._gap_found.inc(found)
        self._gap_ours.inc(ours)

    def swept(self, corrected: int) -> None:
        """The sweeper found conversations that nobody would have looked at."""
        self._sweeper.inc(corrected)

    def show_database(
        self, turns: Mapping[tuple[str, str], int], unsent: int, oldest_ready_s: float
    ) -> None:
        """Take what the leader read (`Upkeep.figures`)."""
        self._database.show(turns, unsent, oldest_ready_s)

    def hide_database(self) -> None:
        """This replica does not lead any more."""
        self._database.hide()

    # --- what there is ---

    def _counter(self, name: str, text: str) -> Counter:
        return Counter(name, text, registry=self._registry)

    def _counters(self, name: str, text: str, **labels: Sequence[str]) -> Labelled[Counter]:
        return Labelled(Counter(name, text, labels, registry=self._registry), labels)

    def _histogram(self, name: str, text: str, buckets: Sequence[float]) -> Histogram:
        return Histogram(name, text, registry=self._registry, buckets=buckets)

    def _histograms(
        self, name: str, text: str, buckets: Sequence[float], **labels: Sequence[str]
    ) -> Labelled[Histogram]:
        histogram = Histogram(name, text, labels, registry=self._registry, buckets=buckets)
        return Labelled(histogram, labels)

    def _describe_build(self) -> None:
        build = Gauge("lycatra_build", "Always 1", ["version"], registry=self._registry)
        build.labels(__version__).set(1)

    def _make_intake(self, hooks: Sequence[str]) -> None:
        self._transactions = self._counters(
            "lycatra_transactions_total",
            "Pushes of the homeserver. unavailable: the database was away, and Synapse keeps it",
            outcome=_TRANSACTIONS,
        )
        self._stored = self._counter(
            "lycatra_events_stored_total", "Events that may concern us, stored to be worked on"
        )
        self._duplicates = self._counter(
            "lycatra_duplicates_dropped_total", "Events that came again and were recognised"
        )
        self._dead_letters = self._counter(
            "lycatra_dead_letters_total",
            "Events that could not be worked on, kept with the reason",
        )
        self._hooks = self._counters(
            "lycatra_hook_requests_total",
            "Requests to /hooks. known: it came before. nothing: right, and of no interest. "
            "refused: not signed, or nothing that can be read. unknown: no such hook",
            hook=hooks,
            outcome=_HOOKS,
        )

    def _make_turns(self) -> None:
        kinds = tuple(LaneKind)
        self._turns = self._counters(
            "lycatra_turns_total", "Requests that ended", kind=kinds, outcome=_ENDS
        )
        self._pauses = self._counters(
            "lycatra_turn_pauses_total",
            "Requests put back to go on later: failed and tried again, the homeserver is away, "
            "handed to another replica, or taken by one",
            kind=kinds,
            reason=_PAUSES,
        )
        self._turn_seconds = self._histograms(
            "lycatra_turn_seconds", "From start to end of a request", _LONG, kind=kinds
        )
        self._turn_start = self._histogram(
            "lycatra_turn_start_seconds", "From a request being stored to its start", _SHORT
        )
        self._wakes = self._counters(
            "lycatra_wakes_total", "Looks for work, by what caused them", by=("notify", "poll")
        )
        slots = Gauge(
            "lycatra_slots_used", "Conversations worked on now", ["kind"], registry=self._registry
        )
        self._slots_used = Labelled(slots, {"kind": kinds})
        self._lost_leases = self._counter(
            "lycatra_lost_leases_total", "Conversations taken from this replica while it worked"
        )
        self._recoveries = self._counters(
            "lycatra_recoveries_total",
            "Conversations freed from a replica that is gone",
            reason=("dead_owner", "lease_expired"),
        )

    def _make_sending(self) -> None:
        self._resends_found = self._counter(
            "lycatra_resends_found_total",
            "Replies of unknown fate that were found in their room and not sent again",
        )
        self._sent = self._counters(
            "lycatra_rows_sent_total",
            "What the homeserver took, by kind; edits are those of answers that grow, too",
            kind=tuple(SendKind),
        )
        self._put_off = self._counters(
            "lycatra_rows_put_off_total",
            "Attempts to send that failed for now, and are made again or left out. rate_limit: "
            "the homeserver answered 429",
            reason=_PUT_OFF,
        )
        self._drops = self._counters(
            "lycatra_rows_dropped_total", "Replies that can never be sent", reason=_DROPS
        )
        self._invitations = self._counters(
            "lycatra_invitations_total",
            "Invitations. not_allowed: by somebody without rights. technical: to the technical "
            "account. unknown_user: to a name that is not configured; it is left alone",
            outcome=(*InvitationOutcome, UNKNOWN_USER),
        )
        self._unasked = self._counters(
            "lycatra_unasked_total",
            "Messages that nobody asked for. held_back: said before, or another one was said in "
            "the same room within the hour. quiet: the room does not want them",
            kind=tuple(Kind),
            outcome=tuple(UnaskedOutcome),
        )
        self._budget_refusals = self._counters(
            "lycatra_budget_refusals_total",
            "Messages not acted on, and answers cut short, because of a limit in `budgets`. "
            "bots: an exchange with somebody who answers as quickly as a bot",
            kind=tuple(BudgetKind),
        )

    def _make_tools(self, tools: Sequence[str]) -> None:
        self._tool_calls = self._counters(
            "lycatra_tool_calls_total",
            "Calls of tools, refused ones too",
            tool=tools,
            face=tuple(Face),
            outcome=tuple(Outcome),
        )
        self._tool_seconds = self._histograms(
            "lycatra_tool_seconds", "Calls that ran, without cached ones", _LONG, tool=tools
        )
        self._llm_seconds = self._histograms(
            "lycatra_llm_seconds", "Requests to the language model", _LONG, outcome=_ANSWERS
        )

    def _make_upkeep(self) -> None:
        self._drain = self._histogram(
            "lycatra_drain_seconds", "From being told to stop to having given back all work", _LONG
        )
        self._gap_found = self._counter(
            "lycatra_gap_events_total", "Events found by the gap check that no push had brought"
        )
        self._gap_ours = self._counter(
            "lycatra_gap_events_ours_total", "Those of them that were meant for us"
        )
        self._sweeper = self._counter(
            "lycatra_db_sweeper_corrections_total",
            "Conversations with work that nobody would have looked at; more than 0 is a bug",
        )
