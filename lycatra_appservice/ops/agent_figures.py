"""Figures about the agent's own work, named as OpenTelemetry names them where it has a name."""

from collections.abc import Sequence
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram

from lycatra_appservice.agent.watching import AGENT_NAME
from lycatra_appservice.ops.instruments import OTHER, Labelled

# The boundaries that the semantic conventions advise.
_TOOL_SECONDS: Final = tuple(0.01 * 2**n for n in range(14))
_AGENT_SECONDS: Final = tuple(0.1 * 2**n for n in range(13))

_FAILURES: Final = ("timeout", "failed", "crashed")
_ERRORS: Final = ("", "cut", "busy", "refused", "unreachable", "overflow", "cancelled")


class AgentFigures:
    """Of one process; every series is there from the start, but for how a tool may fail.

    Those would be most of all figures where there are many tools.
    """

    def __init__(self, registry: CollectorRegistry, tools: Sequence[str]) -> None:
        self._tools = frozenset(tools)
        self._tool = Histogram(
            "gen_ai_execute_tool_duration_seconds",
            "Calls of tools by the agent that ran, with what went wrong",
            ("gen_ai_tool_name", "error_type"),
            registry=registry,
            buckets=_TOOL_SECONDS,
        )
        for tool in tools:
            self._tool.labels(tool, "")
        self._agent = _histograms(
            registry,
            "gen_ai_invoke_agent_duration_seconds",
            "Questions from their start to their answer, tools included, with what went wrong; "
            "those that wait for people are counted from where they go on",
            _AGENT_SECONDS,
            gen_ai_agent_name=(AGENT_NAME,),
            error_type=(*_ERRORS, *_FAILURES),
        )
        self._mistakes = _counters(
            registry,
            "lycatra_agent_repairs_total",
            "Calls that the model wrote wrongly, and was told how to repair",
            kind=("arguments", "unknown_tool"),
        )
        self._stops = _counters(
            registry,
            "lycatra_agent_stops_total",
            "Answers that were forced. same_call: it made one call again and again. mistakes: it "
            "could not call a tool rightly. requests: it made as many as it may",
            reason=("same_call", "mistakes", "requests"),
        )
        self._trims = _counters(
            registry,
            "lycatra_agent_trims_total",
            "Prompts that were too long: old results left out, or whole turns",
            what=("results", "turns"),
        )

    def learn_tools(self, tools: Sequence[str]) -> None:
        """There are these, too."""
        self._tools |= frozenset(tools)

    def tool_ran(self, tool: str, outcome: str, seconds: float) -> None:
        """One call of a tool by the agent."""
        error = outcome if outcome in _FAILURES else ""
        self._tool.labels(tool if tool in self._tools else OTHER, error).observe(seconds)

    def invoked(self, seconds: float, error: str) -> None:
        """One question ended."""
        self._agent.at(AGENT_NAME, error).observe(seconds)

    def mistaken(self, kind: str) -> None:
        """One wrong call."""
        self._mistakes.at(kind).inc()

    def stopped(self, reason: str) -> None:
        """One forced end."""
        self._stops.at(reason).inc()

    def trimmed(self, what: str) -> None:
        """One prompt that was too long."""
        self._trims.at(what).inc()


def _histograms(
    registry: CollectorRegistry,
    name: str,
    text: str,
    buckets: Sequence[float],
    **labels: Sequence[str],
) -> Labelled[Histogram]:
    return Labelled(Histogram(name, text, labels, registry=registry, buckets=buckets), labels)


def _counters(
    registry: CollectorRegistry, name: str, text: str, **labels: Sequence[str]
) -> Labelled[Counter]:
    return Labelled(Counter(name, text, labels, registry=registry), labels)
