"""Sends spans to a collector by OTLP over HTTP; needs the extra `otlp`, so import it only then.

Exporting is the business of a thread of the SDK: whatever the collector does, no answer waits.
"""

import asyncio
import hashlib
import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Final, Protocol

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from pydantic import SecretStr

from lycatra_appservice import __version__
from lycatra_appservice.agent.tracing import Attribute, Span
from lycatra_appservice.toolkit.redaction import Mask

logger = logging.getLogger(__name__)

_PATH: Final = "/v1/traces"
_EXPORT_SECONDS: Final = 5.0  # with all repetitions; what is lost then is lost
_FLUSH_SECONDS: Final = 3.0  # of the time that a process has to end
_MOST_WAITING: Final = 2048  # spans; the oldest are dropped
_LONGEST_VALUE: Final = 32 * 1024  # characters


class TraceSettings(Protocol):
    """The section `otlp` of the configuration."""

    @property
    def endpoint(self) -> str:
        """Address of the collector, with or without the path of its traces."""

    @property
    def headers(self) -> Mapping[str, SecretStr]:
        """Sent with every request."""

    @property
    def content(self) -> bool:
        """Whether what people, models and tools say is sent, too."""

    @property
    def sample_ratio(self) -> float:
        """Which share of the questions is traced, 0 to 1."""

    @property
    def ca_file(self) -> Path | None:
        """The only authority to trust, in PEM format; None trusts those of the system."""


class OtlpTracer:
    """Spans on their way to one collector; close it, or the last of them are lost."""

    def __init__(
        self,
        settings: TraceSettings,
        *,
        instance: str,
        conceal: Mask,
        flush_seconds: float = _FLUSH_SECONDS,
    ) -> None:
        """`conceal` takes the secrets of the configuration out of every value."""
        self._conceal = conceal
        self._flush_seconds = flush_seconds
        self.with_contents = settings.content
        resource = Resource.create(
            {
                "service.name": "lycatra",
                "service.version": __version__,
                "service.instance.id": instance,
            }
        )
        self._provider = TracerProvider(
            # The same question is traced on every replica, or on none.
            sampler=ParentBased(TraceIdRatioBased(settings.sample_ratio)),
            resource=resource,
            shutdown_on_exit=False,
            id_generator=_TraceOfTrigger(),
            span_limits=SpanLimits(max_attribute_length=_LONGEST_VALUE),
        )
        exporter = _Exporter(_exporter(settings), settings.endpoint)
        self._provider.add_span_processor(
            BatchSpanProcessor(exporter, max_queue_size=_MOST_WAITING, schedule_delay_millis=2000)
        )
        self._tracer = self._provider.get_tracer("lycatra", __version__)

    @contextmanager
    def question(
        self, trigger_id: str, name: str, attributes: Mapping[str, Attribute]
    ) -> Iterator[Span]:
        """See Tracer."""
        token = _TRACE.set(_trace_of(trigger_id))
        try:
            span = self._begin(name, attributes, trace.SpanKind.INTERNAL)
        finally:
            _TRACE.reset(token)
        with trace.use_span(
            span, end_on_exit=True, record_exception=False, set_status_on_exception=False
        ):
            yield _Span(span, self._plain)

    @contextmanager
    def span(
        self, name: str, attributes: Mapping[str, Attribute], *, is_request: bool = False
    ) -> Iterator[Span]:
        """See Tracer. Not made the current one: it may be begun within a generator."""
        kind = trace.SpanKind.CLIENT if is_request else trace.SpanKind.INTERNAL
        span = self._begin(name, attributes, kind)
        try:
            yield _Span(span, self._plain)
        finally:
            span.end()

    async def aclose(self) -> None:
        """Send what is left, for `flush_seconds` at most."""
        done = asyncio.Event()
        loop = asyncio.get_running_loop()

        def end() -> None:
            self._provider.shutdown()
            with suppress(RuntimeError):  # the loop did not wait for it
                loop.call_soon_threadsafe(done.set)

        # A thread that nobody joins: the process may end while the collector hangs.
        threading.Thread(target=end, name="otlp-flush", daemon=True).start()
        try:
            async with asyncio.timeout(self._flush_seconds):
                await done.wait()
        except TimeoutError:
            logger.warning("traces_not_flushed", extra={"seconds": self._flush_seconds})

    def _begin(
        self, name: str, attributes: Mapping[str, Attribute], kind: trace.SpanKind
    ) -> trace.Span:
        return self._tracer.start_span(
            self._conceal(name), kind=kind, attributes=self._plain(attributes)
        )

    def _plain(self, attributes: Mapping[str, Attribute]) -> dict[str, Attribute]:
        return {
            key: self._conceal(value) if isinstance(value, str) else value
            for key, value in attributes.items()
        }


class _Span:
    def __init__(
        self,
        span: trace.Span,
        plain: Callable[[Mapping[str, Attribute]], Mapping[str, Attribute]],
    ) -> None:
        self._span = span
        self._plain = plain

    def put(self, attributes: Mapping[str, Attribute]) -> None:
        """See Span."""
        self._span.set_attributes(self._plain(attributes))

    def failed(self, error_type: str) -> None:
        """See Span."""
        self._span.set_attribute("error.type", error_type)
        self._span.set_status(trace.StatusCode.ERROR)


class _Exporter(SpanExporter):
    """Tells once that the collector takes nothing, and once that it does again."""

    def __init__(self, inner: SpanExporter, endpoint: str) -> None:
        self._inner = inner
        self._endpoint = endpoint
        self._fails = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Called by the SDK's thread."""
        result = self._inner.export(spans)
        failed = result is not SpanExportResult.SUCCESS
        if failed is not self._fails:
            self._fails = failed
            event = "traces_not_taken" if failed else "traces_taken_again"
            logger.warning(event, extra={"endpoint": self._endpoint})
        return result

    def shutdown(self) -> None:
        """Called by the SDK's thread."""
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing waits here."""
        return True


_TRACE: Final[ContextVar[int | None]] = ContextVar("trace_of_trigger", default=None)


class _TraceOfTrigger(IdGenerator):
    """Gives all runs of one trigger the same trace, whichever replica makes them."""

    def __init__(self) -> None:
        self._random = RandomIdGenerator()

    def generate_span_id(self) -> int:
        """By chance."""
        return self._random.generate_span_id()

    def generate_trace_id(self) -> int:
        """By the trigger, where one is at work."""
        return _TRACE.get() or self._random.generate_trace_id()


def _trace_of(trigger_id: str) -> int:
    digest = hashlib.sha256(b"lycatra-trace:" + trigger_id.encode()).digest()
    return int.from_bytes(digest[:16]) or 1


def _exporter(settings: TraceSettings) -> OTLPSpanExporter:
    # It repeats itself with each attempt; `_Exporter` says it once.
    logging.getLogger("opentelemetry.exporter").setLevel(logging.CRITICAL)
    endpoint = settings.endpoint.rstrip("/")
    return OTLPSpanExporter(
        endpoint=endpoint if endpoint.endswith(_PATH) else endpoint + _PATH,
        headers={name: value.get_secret_value() for name, value in settings.headers.items()},
        timeout=_EXPORT_SECONDS,
        certificate_file=str(settings.ca_file) if settings.ca_file else None,
    )
