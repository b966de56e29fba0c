"""Wiring of the language models: each counted, behind its breaker, and within its limit."""

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
from lycatra_appservice.agent.limiting import ProcessSlots
from lycatra_appservice.agent.models import Models, OfferedModel
from lycatra_appservice.agent.observing import ObservedBackend
from lycatra_appservice.agent.silent_cut import CutWatch
from lycatra_appservice.chat.model_host import is_local
from lycatra_appservice.ops.health import Probe, UnwellError
from lycatra_appservice.ops.metrics import Metrics
from lycatra_appservice.ops.model_figures import MeasuredModel
from lycatra_appservice.settings import Model, NamedModel

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
_ANOTHER_PROVIDER: Final = "openai_compatible"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningModels:
    """The models of one process; whoever made them closes them by the stack."""

    models: Models
    probes: Mapping[str, Probe]
    patience: timedelta  # for a whole answer, whichever model gives it


def run_models(
    configured: Mapping[str, Model], metrics: Metrics, stack: AsyncExitStack
) -> RunningModels | None:
    """Build them, without a connection yet; None where none is configured."""
    offered, probes, breakers = [], {}, {}
    for name, each in configured.items():
        client = ChatCompletionsBackend(each)
        stack.push_async_callback(client.aclose)
        breaker = breakers[name] = Breaker(name, monotonic)
        counted = ObservedBackend(name, client, metrics, monotonic)
        backend = GuardedBackend(counted, breaker)
        offered.append(_offered(name, each, backend, metrics))
        probes["model" if name == "model" else f"model {name}"] = _probe(client, breaker)
    if not offered:
        return None
    metrics.show_resting({name: breaker.has_opened for name, breaker in breakers.items()})
    return RunningModels(
        models=Models(offered, metrics),
        probes=probes,
        patience=max(each.turn_timeout for each in configured.values()),
    )


def measured_models(configured: Mapping[str, Model]) -> Sequence[MeasuredModel]:
    """The models as the figures name them."""
    return [
        MeasuredModel(backend=name, provider=_provider(each.base_url), model=each.model)
        for name, each in configured.items()
    ]


def _offered(name: str, model: Model, backend: Backend, metrics: Metrics) -> OfferedModel:
    window = Window(context_tokens=model.context_window, max_output_tokens=model.max_output_tokens)
    key = "model" if name == "model" else f"models.{name}"
    return OfferedModel(
        name=name,
        backend=backend,
        window=window,
        watch=CutWatch(key, metrics),
        slots=ProcessSlots(model.max_concurrency) if model.max_concurrency else None,
        is_local=is_local(model),
        images=model.images,
        namespaces=frozenset(model.namespaces if isinstance(model, NamedModel) else ()),
    )


def _probe(backend: Backend, breaker: Breaker) -> Probe:
    async def probe() -> str:
        seen = await backend.probe()
        if breaker.is_open:
            seconds = ceil(breaker.rest.total_seconds())
            raise UnwellError(f"left alone for {seconds} s, because it failed; {seen}")
        return seen

    return probe


def _provider(base_url: str) -> str:
    host = (urlsplit(base_url).hostname or "").rstrip(".")
    known = (name for end, name in _PROVIDERS.items() if f".{host}".endswith(f".{end}"))
    return next(known, _ANOTHER_PROVIDER)
