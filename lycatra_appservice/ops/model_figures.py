"""Figures about the models, named as OpenTelemetry names them for generative AI.

Its attributes are the labels; the `backend` is the operator's name for a model, which tells two
servers apart that have the same one. Without `error_type` a request went well.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from lycatra_appservice.agent.observing import ModelRequest

_OUTCOMES: Final = (
    "truncated",
    "cut",
    "busy",
    "refused",
    "unreachable",
    "overflow",
    "timeout",
    "cancelled",
)
# The boundaries that the semantic conventions advise.
_SECONDS: Final = tuple(0.01 * 2**n for n in range(14))
_WAITS: Final = (0.01, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1200)
_TOKENS: Final = tuple(4**n for n in range(14))
_WHICH: Final = (
    "backend",
    "gen_ai_operation_name",
    "gen_ai_provider_name",
    "gen_ai_request_model",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredModel:
    """A model as the figures name it; `provider` is a value of `gen_ai.provider.name`."""

    backend: str
    provider: str
    model: str


class ModelFigures:
    """Of requests to the models of one process; every series is there from the start."""

    def __init__(self, registry: CollectorRegistry, models: Sequence[MeasuredModel]) -> None:
        self._registry = registry
        self._which = {
            each.backend: (each.backend, "chat", each.provider, each.model) for each in models
        }
        self._duration = Histogram(
            "gen_ai_client_operation_duration_seconds",
            "Requests to a language model, with what went wrong",
            (*_WHICH, "error_type"),
            registry=registry,
            buckets=_SECONDS,
        )
        self._first = Histogram(
            "gen_ai_client_operation_time_to_first_chunk_seconds",
            "From a request to the first of its answer",
            _WHICH,
            registry=registry,
            buckets=_SECONDS,
        )
        self._gaps = Histogram(
            "gen_ai_client_operation_time_per_output_chunk_seconds",
            "From one chunk of a streamed answer to the next",
            _WHICH,
            registry=registry,
            buckets=_SECONDS,
        )
        self._tokens = Histogram(
            "gen_ai_client_token_usage",
            "Tokens of a request and of its answer, as the server counts them",
            (*_WHICH, "gen_ai_token_type"),
            registry=registry,
            buckets=_TOKENS,
        )
        names = ("backend",)
        self._fallbacks = Counter(
            "lycatra_llm_fallbacks_total",
            "Requests that went on to the next model because this one failed",
            names,
            registry=registry,
        )
        self._cuts = Counter(
            "lycatra_llm_prompts_cut_total",
            "Prompts that the server probably cut without a word; the log says what to change",
            names,
            registry=registry,
        )
        self._resting = Gauge(
            "lycatra_llm_resting",
            "1 while a model is left alone because it failed too often",
            names,
            registry=registry,
        )
        self._waited = Histogram(
            "lycatra_llm_wait_seconds",
            "From a request to its place at a model with max_concurrency",
            names,
            registry=registry,
            buckets=_WAITS,
        )
        self._waiting = Gauge(
            "lycatra_llm_waiting",
            "Requests of this replica that wait for their place at a model",
            names,
            registry=registry,
        )
        self._refused = Counter(
            "lycatra_llm_waits_refused_total",
            "Requests that were refused because max_waiting were waiting already",
            names,
            registry=registry,
        )
        self._expired = Counter(
            "lycatra_llm_waits_expired_total",
            "Requests of replicas that are gone, whose places were freed",
            names,
            registry=registry,
        )
        self._begin()

    def _begin(self) -> None:
        for which in self._which.values():
            for error in ("", *_OUTCOMES):
                self._duration.labels(*which, error)
            self._first.labels(*which)
            self._gaps.labels(*which)
            for kind in ("input", "output"):
                self._tokens.labels(*which, kind)
            self._waited.labels(which[0])
            for instrument in (self._fallbacks, self._cuts, self._refused, self._expired):
                instrument.labels(which[0])
            for gauge in (self._resting, self._waiting):
                gauge.labels(which[0])

    def show_resting(self, resting: Mapping[str, Callable[[], bool]]) -> None:
        """Ask these, by backend, whenever somebody looks at the figures."""
        for backend, is_resting in resting.items():
            self._resting.labels(backend).set_function(_as_number(is_resting))

    def answered(self, request: ModelRequest) -> None:
        """One request ended; one to a model that was not announced is left out."""
        which = self._which.get(request.backend)
        if which is None:
            return
        error = "" if request.outcome == "ok" else request.outcome
        self._duration.labels(*which, error).observe(request.seconds)
        if request.first_chunk is not None:
            self._first.labels(*which).observe(request.first_chunk)
        gaps = self._gaps.labels(*which)
        for gap in request.chunk_gaps:
            gaps.observe(gap)
        counted = {"input": request.input_tokens, "output": request.output_tokens}
        for kind, tokens in counted.items():
            if tokens is not None:
                self._tokens.labels(*which, kind).observe(tokens)

    def fell_back(self, backend: str) -> None:
        """A request went on to the next model."""
        if backend in self._which:
            self._fallbacks.labels(backend).inc()

    def waited(self, backend: str, seconds: float) -> None:
        """A request has got its place."""
        if backend in self._which:
            self._waited.labels(backend).observe(seconds)

    def waiting(self, backend: str, requests: int) -> None:
        """So many requests of this process wait now."""
        if backend in self._which:
            self._waiting.labels(backend).set(requests)

    def refused(self, backend: str) -> None:
        """A request was refused because too many wait."""
        if backend in self._which:
            self._refused.labels(backend).inc()

    def wait_expired(self, backend: str, requests: int) -> None:
        """Requests of replicas that are gone were dropped."""
        if backend in self._which:
            self._expired.labels(backend).inc(requests)

    def prompt_cut(self, backend: str) -> None:
        """A prompt was probably cut silently."""
        if backend in self._which:
            self._cuts.labels(backend).inc()


def _as_number(question: Callable[[], bool]) -> Callable[[], float]:
    return lambda: float(question())
