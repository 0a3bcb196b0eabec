"""Spans: pieces of work in a trace, exported by OTLP over HTTP when OTEL_EXPORTER_OTLP_ENDPOINT is set.

Promises: without that variable OpenTelemetry is never imported and a span costs next to nothing; the current `Trace`
is the span's, so that logs, outgoing requests and events name it.
Does not: fail what is being done when the collector is away; spans are dropped then.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from shared.telemetry import traces

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Tracer

ENDPOINT: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"
_SERVER_ERROR: Final = 500

_provider: TracerProvider | None = None
_tracer: Tracer | None = None


def configure_spans(service: str, **attributes: str) -> bool:
    """Begin to export spans when the environment names a collector.

    Args:
        service: `service.name` of the resource.
        attributes: further attributes of the resource.

    Returns:
        Whether spans are exported.
    """
    global _provider, _tracer  # noqa: PLW0603 - one exporter for the process, as one standard error for its logs
    if not os.environ.get(ENDPOINT) or os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    _provider = TracerProvider(resource=Resource.create({"service.name": service, **attributes}))
    _provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    _tracer = _provider.get_tracer("hal9")
    return True


def finish_spans() -> None:
    """Export what is still held, and stop."""
    global _provider, _tracer  # noqa: PLW0603 - see configure_spans
    if _provider is not None:
        _provider.shutdown()
    _provider = _tracer = None


def exporting() -> bool:
    """Whether spans are exported."""
    return _tracer is not None


@contextmanager
def span(name: str, kind: str = "internal", **attributes: Any) -> Iterator[None]:
    """Do what is inside as one span of the current trace.

    Args:
        name: a low-cardinality name, such as `POST /v1/runs`.
        kind: internal, server, client, producer or consumer.
        attributes: strings, numbers, booleans; OpenTelemetry's semantic conventions where there are some.
    """
    if _tracer is None:
        yield
        return
    from opentelemetry.trace import SpanKind, StatusCode, set_span_in_context

    outer = traces.trace()
    with _tracer.start_as_current_span(
        name, context=set_span_in_context(_remote(outer)), kind=SpanKind[kind.upper()], attributes=attributes
    ) as mine:
        place = mine.get_span_context()
        state = "" if outer is None else outer.state
        traces.set_trace(traces.Trace(f"{place.trace_id:032x}", f"{place.span_id:016x}", int(place.trace_flags), state))
        try:
            yield
        except Exception as error:
            mine.set_status(StatusCode.ERROR, type(error).__name__)
            raise
        finally:
            traces.set_trace(outer)


@contextmanager
def serving(method: str, header: str, state: str) -> Iterator[Callable[[str, int], None]]:
    """Serve a request as one span of the trace that its `traceparent` names; spans must be exported.

    Gives a function that takes the route and the status, to be called when they are known.
    """
    traces.set_trace(traces.parse(header, state) if header else None)
    with span(method, "server", **{"http.request.method": method}):
        from opentelemetry.trace import StatusCode, get_current_span

        mine: Any = get_current_span()

        def finish(route: str, status: int) -> None:
            mine.update_name(f"{method} {route}")
            mine.set_attributes({"http.route": route, "http.response.status_code": status})
            if status >= _SERVER_ERROR:
                mine.set_status(StatusCode.ERROR)

        yield finish


def _remote(outer: traces.Trace | None) -> Any:
    """Give the span that our place in the trace stands for."""
    from opentelemetry.trace import INVALID_SPAN, NonRecordingSpan, SpanContext, TraceFlags

    if outer is None:
        return INVALID_SPAN
    flags = TraceFlags(outer.flags)
    return NonRecordingSpan(
        SpanContext(int(outer.trace_id, 16), int(outer.span_id, 16), is_remote=True, trace_flags=flags)
    )
