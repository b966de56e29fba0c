"""Wiring of traces: none, unless they are configured and what sends them is installed."""

import logging
from contextlib import AsyncExitStack
from typing import Final

from lycatra_appservice.agent.tracing import NO_TRACES, Tracer
from lycatra_appservice.settings import Otlp
from lycatra_appservice.toolkit.extras import Extra
from lycatra_appservice.toolkit.redaction import Mask

logger = logging.getLogger(__name__)

OTLP: Final = Extra(name="otlp", module="opentelemetry.exporter.otlp.proto.http")


def open_traces(
    settings: Otlp | None,
    stack: AsyncExitStack,
    *,
    instance: str,
    conceal: Mask,
    extra: Extra = OTLP,
) -> Tracer:
    """A tracer that the stack closes. Traces are no reason not to start."""
    if settings is None:
        return NO_TRACES
    if not extra.is_installed:
        logger.warning("traces_need_an_extra", extra={"install": extra.install})
        return NO_TRACES
    from lycatra_appservice.ops.otlp import OtlpTracer

    tracer = OtlpTracer(settings, instance=instance, conceal=conceal)
    stack.push_async_callback(tracer.aclose)
    return tracer
