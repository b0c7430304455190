"""Configures a process's logs (structlog's JSON lines with trace ids) and sampled OpenTelemetry traces.

A log line holds ids, types and reasons, never a body or a secret. Exceptions are logged without local variables.
"""

import logging
import sys
from typing import Any

import structlog
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased
from structlog.typing import EventDict, Processor

from app.settings import Telemetry

#: aiokafka logs an unreachable broker ten times a second; the callers log it once.
QUIET = {
    "aiokafka": logging.CRITICAL,
    "httpx": logging.WARNING,
    "httpcore": logging.WARNING,
    "opentelemetry": logging.ERROR,
}


def configure(telemetry: Telemetry, *, service: str) -> None:
    """Set up this process's logs and traces; `service` is `http` or `worker`. Call it once, at the start."""
    configure_logs(telemetry, service=service)
    configure_traces(telemetry, service=service)


def configure_logs(telemetry: Telemetry, *, service: str, stream: Any = None) -> None:
    """Send structlog and the standard library's logging to one stream (standard output), one line per entry."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _trace_ids,
        structlog.processors.StackInfoRenderer(),
    ]
    if telemetry.log_format == "json":
        last: list[Processor] = [
            # Without locals, which may be bodies and secrets.
            structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False)),
            structlog.processors.JSONRenderer(),
        ]
    else:
        last = [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, _service(service)],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
    )
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    set_level(telemetry)
    for name, level in QUIET.items():
        logging.getLogger(name).setLevel(level)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            _service(service),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def set_level(telemetry: Telemetry) -> None:
    """Set the level of this process's log, at the start or later."""
    logging.getLogger().setLevel(telemetry.log_level.upper())


def configure_traces(telemetry: Telemetry, *, service: str) -> None:
    """Export spans to the configured collector (OTLP over HTTP); without one no span is recorded.

    The door and the API decide once per request whether to sample it, before any span exists, so root spans started here are
    kept, and children follow their parents. Failures are recorded whatever was decided (`webhooks.spans`).
    """
    if telemetry.otlp_endpoint is None:
        return
    provider = TracerProvider(
        sampler=ParentBased(root=ALWAYS_ON), resource=Resource.create({"service.name": f"threadline-{service}"})
    )
    exporter = OTLPSpanExporter(endpoint=f"{telemetry.otlp_endpoint.rstrip('/')}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)


def shut_down() -> None:
    """Export the remaining spans. Call it once, at the end of the process."""
    provider = trace.get_tracer_provider()
    if isinstance(provider, TracerProvider):
        provider.shutdown()


def share(telemetry: Telemetry) -> float:
    """Return the share of requests to trace: 0 without a collector."""
    return telemetry.sample if telemetry.otlp_endpoint else 0.0


def _trace_ids(_: Any, __: str, event: EventDict) -> EventDict:
    """Add the ids of the current span, as W3C Trace Context writes them."""
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = f"{context.trace_id:032x}"
        event["span_id"] = f"{context.span_id:016x}"
    return event


def _service(service: str) -> Processor:
    def add(_: Any, __: str, event: EventDict) -> EventDict:
        event.setdefault("service", service)
        return event

    return add
