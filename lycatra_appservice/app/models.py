"""Wiring of the language models: each counted, behind its breaker, and within its limit."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from time import monotonic
from typing import Final
from urllib.parse import urlsplit

from lycatra_appservice.agent.asking import Window
from lycatra_appservice.agent.backend import Backend
from lycatra_appservice.agent.breaker import Breaker, GuardedBackend
from lycatra_appservice.agent.chat_completions import ChatCompletionsBackend
from lycatra_appservice.agent.model_wait import Limit, WaitStore
from lycatra_appservice.agent.models import Models, OfferedModel
from lycatra_appservice.agent.observing import ObservedBackend
from lycatra_appservice.agent.silent_cut import CutWatch
from lycatra_appservice.agent.slots import ModelSlots
from lycatra_appservice.agent.tracing import MODEL, NO_TRACES, PROVIDER, Attribute, Tracer
from lycatra_appservice.agent.watching import AgentWatch
from lycatra_appservice.chat.model_host import is_local
from lycatra_appservice.db.connection import Signals
from lycatra_appservice.errors import ModelError
from lycatra_appservice.ops.health import Probe, UnwellError
from lycatra_appservice.ops.metrics import Metrics
from lycatra_appservice.ops.model_figures import MeasuredModel
from lycatra_appservice.settings import Model, NamedModel

logger = logging.getLogger(__name__)

# By the ends of their hosts' names, the values that OpenTelemetry has for gen_ai.provider.name.
_PROVIDERS: Final = {
    "openai.com": "openai",
    "openai.azure.com": "azure.ai.openai",
    "anthropic.com": "anthropic",
    "googleapis.com": "gcp.gen_ai",
    "amazonaws.com": "aws.bedrock",
    "cohere.com": "cohere",
    "deepseek.com": "deepseek",
    "groq.com": "groq",
    "mistral.ai": "mistral_ai",
    "perplexity.ai": "perplexity",
    "x.ai": "x_ai",
}
_MAX_WAITING: Final = 10  # some minutes at a slow model, and fewer than a replica's slots
_ANOTHER_PROVIDER: Final = "openai_compatible"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningModels:
    """The models of one process; whoever made them closes them by the stack."""

    models: Models
    slots: ModelSlots
    probes: Mapping[str, Probe]
    patience: timedelta  # for a whole answer, whichever model gives it
    clients: Sequence[ChatCompletionsBackend]
    watch: AgentWatch

    async def warm_up(self) -> None:
        """Do now what would slow the first question; asks nobody anything, and never raises."""
        for client in self.clients:
            try:
                await client.warm_up()
            except ModelError as error:  # the first question tells it to people, too
                logger.warning("model_not_warmed_up", extra={"error": repr(error)})


def run_models(
    configured: Mapping[str, Model],
    metrics: Metrics,
    stack: AsyncExitStack,
    waiting: WaitStore,
    signals: Signals,
    tracer: Tracer = NO_TRACES,
) -> RunningModels | None:
    """Build them, without a connection yet; None where none is configured.

    Somebody has to call `slots.renew` every second or so.
    """
    slots = ModelSlots(waiting, signals, metrics)
    offered, probes, breakers, clients = [], {}, {}, []
    for name, each in configured.items():
        client = ChatCompletionsBackend(each)
        stack.push_async_callback(client.aclose)
        clients.append(client)
        breaker = breakers[name] = Breaker(name, monotonic)
        counted = ObservedBackend(name, client, metrics, monotonic, tracer, _described(each))
        backend = GuardedBackend(counted, breaker)
        model = _offered(name, each, backend, metrics, slots)
        offered.append(model)
        probe = _probe(client, breaker, model)
        probes["model" if name == "model" else f"model {name}"] = probe
    if not offered:
        return None
    metrics.show_resting({name: breaker.has_opened for name, breaker in breakers.items()})
    return RunningModels(
        models=Models(offered, metrics),
        slots=slots,
        probes=probes,
        clients=clients,
        watch=AgentWatch(metrics, tracer),
        patience=max(each.turn_timeout for each in configured.values()),
    )


def measured_models(configured: Mapping[str, Model]) -> Sequence[MeasuredModel]:
    """The models as the figures name them."""
    return [
        MeasuredModel(backend=name, provider=_provider(each.base_url), model=each.model)
        for name, each in configured.items()
    ]


def _offered(
    name: str, model: Model, backend: Backend, metrics: Metrics, slots: ModelSlots
) -> OfferedModel:
    window = Window(context_tokens=model.context_window, max_output_tokens=model.max_output_tokens)
    key = "model" if name == "model" else f"models.{name}"
    limit = None
    if model.max_concurrency is not None:
        waiting = _MAX_WAITING if model.max_waiting is None else model.max_waiting
        limit = Limit(model=name, at_once=model.max_concurrency, waiting=waiting)
    return OfferedModel(
        name=name,
        backend=backend,
        window=window,
        watch=CutWatch(key, metrics),
        slots=slots.of(limit) if limit else None,
        is_local=is_local(model),
        images=model.images,
        namespaces=frozenset(model.namespaces if isinstance(model, NamedModel) else ()),
    )


def _probe(backend: Backend, breaker: Breaker, model: OfferedModel) -> Probe:
    async def probe() -> str:
        try:
            seen = await backend.probe()
        except ModelError:
            breaker.looked(is_there=False)
            raise
        breaker.looked(is_there=True)
        if model.watch.window is not None:
            seen += (
                f"; reads about {model.watch.window} tokens, though its context_window is "
                f"{model.window.context_tokens}"
            )
        if breaker.is_open:
            seconds = ceil(breaker.rest.total_seconds())
            raise UnwellError(f"left alone for {seconds} s, because it failed; {seen}")
        return seen

    return probe


def _described(model: Model) -> Mapping[str, Attribute]:
    """What spans say of each request to it; `server.*` as in all conventions."""
    address = urlsplit(model.base_url)
    port = address.port or (443 if address.scheme == "https" else 80)
    return {
        PROVIDER: _provider(model.base_url),
        MODEL: model.model,
        "server.address": address.hostname or "",
        "server.port": port,
    }


def _provider(base_url: str) -> str:
    host = (urlsplit(base_url).hostname or "").rstrip(".")
    known = (name for end, name in _PROVIDERS.items() if f".{host}".endswith(f".{end}"))
    return next(known, _ANOTHER_PROVIDER)
