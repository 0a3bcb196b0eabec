"""Spans go to a collector by OTLP over HTTP, in the trace that came in; without one OpenTelemetry is not there."""

from __future__ import annotations

import http.server
import threading
from typing import TYPE_CHECKING, Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

import pytest

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"


class Collector(http.server.ThreadingHTTPServer):
    """Takes what is exported."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.exported: list[ExportTraceServiceRequest] = []

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def spans(self) -> list[Any]:
        """Give every span with its resource's attributes."""
        return [
            (span, {one.key: one.value.string_value for one in resource.resource.attributes})
            for request in self.exported
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            import gzip

            body = gzip.decompress(body)
        self.server.exported.append(ExportTraceServiceRequest.FromString(body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A collector that listens."""
    found = Collector()
    thread = threading.Thread(target=found.serve_forever)
    thread.start()
    yield found
    found.shutdown()
    thread.join()
    found.server_close()


def test_a_request_is_a_span_of_the_callers_trace(hosts: Any, collector: Collector) -> None:
    host = hosts(OTEL_EXPORTER_OTLP_ENDPOINT=collector.address)
    answer = host.request("GET", "/context", headers={"traceparent": f"00-{TRACE}-{PARENT}-01"})
    host.request("POST", "/fail", headers={"traceparent": f"00-{TRACE}-{PARENT}-01"})
    host.request("GET", "/things/1")
    assert host.stop() == 0  # the drain exports what is left
    spans = {span.name: (span, resource) for span, resource in collector.spans()}
    span, resource = spans["GET /context"]
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, PARENT)
    assert answer.body.decode().split("-")[2] == span.span_id.hex()
    assert (resource["service.name"], resource["faas.name"]) == ("echo", "echo")
    attributes = {one.key: one.value for one in span.attributes}
    assert attributes["http.response.status_code"].int_value == 200
    assert attributes["http.route"].string_value == "/context"
    assert spans["POST /fail"][0].status.code == 2
    alone = spans["GET /things/{thing_id}"][0]
    assert (alone.parent_span_id, alone.trace_id.hex() == TRACE) == (b"", False)


def test_a_collector_that_is_away_harms_nothing(hosts: Any) -> None:
    host = hosts(OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1", OTEL_EXPORTER_OTLP_TIMEOUT="1")
    assert host.request("GET", "/things/1").status == 200
    assert host.stop() == 0
