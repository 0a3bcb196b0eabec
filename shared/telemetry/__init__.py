"""What is seen from outside: logs, traces, metrics.

- `logger(name)` writes one JSON object a line, with trace id and organisation (`shared.telemetry.logs`).
- `trace()`, `begin()`, `traceparent()`: the W3C Trace Context of what is being done (`shared.telemetry.traces`).
- `span(name, ...)`: an OpenTelemetry span when OTEL_EXPORTER_OTLP_ENDPOINT is set, else next to nothing
  (`shared.telemetry.spans`).
- `counter`, `gauge`, `histogram`: Prometheus metrics (`shared.telemetry.metrics`).

Promises: importing it loads neither OpenTelemetry nor prometheus_client; nothing here ever fails what is being done.
Does not: put tenants into labels, or secrets into logs.
"""

from __future__ import annotations

from shared.telemetry.logs import Log, configure_logs, logger, organisation, set_organisation
from shared.telemetry.metrics import Counter, Gauge, Histogram, counter, exposition, gauge, histogram
from shared.telemetry.spans import configure_spans, finish_spans, span
from shared.telemetry.traces import Trace, begin, begun, trace, traceparent

__all__ = [
    "Counter",
    "Gauge",
    "Histogram",
    "Log",
    "Trace",
    "begin",
    "begun",
    "configure_logs",
    "configure_spans",
    "counter",
    "exposition",
    "finish_spans",
    "gauge",
    "histogram",
    "logger",
    "organisation",
    "set_organisation",
    "span",
    "trace",
    "traceparent",
]
