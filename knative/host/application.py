"""What happens to a request between the connection and the function: health, admission, deadline, trace, answer."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any, Final

from starlette.requests import Request
from starlette.responses import Response

from knative.host.admission import Admission
from shared import deadlines
from shared.function.function import problem_of
from shared.problems import Problem
from shared.telemetry import begin, counter, exposition, gauge, histogram, logger, trace
from shared.telemetry import metrics as metric_text
from shared.telemetry.spans import exporting, serving

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from knative.description import FunctionDescription
    from knative.host.exchange import Exchange
    from knative.host.loading import Loaded
    from knative.host.settings import HostSettings

_log = logger(__name__)
_CHECK_SECONDS: Final = 2.0
_TIMEOUT_HEADER: Final = b"hal9-timeout"
_SECONDS = histogram(
    "hal9_http_request_seconds", "Time from a request's header to its answer's end.", ("method", "route", "status")
)
_REFUSED = counter("hal9_http_refused_total", "Requests that no function saw, by the problem's slug.", ("slug",))
_ABANDONED = counter("hal9_http_abandoned_total", "Answers that nobody waited for any more.")


class Application:
    """Answers the requests of one function's process.

    Args:
        loaded: the function.
        description: its function.toml.
        concurrency: requests at once.
        queue: requests that may wait.
        settings: the host's.
    """

    def __init__(
        self, loaded: Loaded, description: FunctionDescription, concurrency: int, queue: int, settings: HostSettings
    ) -> None:
        self._loaded = loaded
        self._handle: Callable[[Request], Awaitable[Response]] = loaded.handle
        self._timeout = description.timeout_seconds
        self._admission = Admission(concurrency, queue)
        self._settings = settings
        self._streams: set[Exchange] = set()
        self._under_way = 0
        self._own = {"/healthz/live": self._live, "/healthz/ready": self._ready}
        if settings.metrics:
            self._own["/metrics"] = self._metrics
        self.draining = False
        self.idle = asyncio.Event()
        self.idle.set()
        gauge("hal9_http_running", "Requests that are being answered.", read=lambda: float(self._admission.running))
        gauge("hal9_http_waiting", "Requests that wait for a slot.", read=lambda: float(self._admission.waiting))
        gauge("hal9_http_streams", "Streamed answers that are under way.", read=lambda: float(len(self._streams)))

    async def answer(self, exchange: Exchange) -> None:
        """Answer one request, whatever happens."""
        self._under_way += 1
        self.idle.clear()
        loop = asyncio.get_running_loop()
        try:
            await self._answer(exchange)
        finally:
            self._under_way -= 1
            if not self._under_way:
                self.idle.set()
            self._measure(exchange, loop.time() - exchange.arrived)

    async def _answer(self, exchange: Exchange) -> None:
        parent, state = _header(exchange, b"traceparent"), _header(exchange, b"tracestate")
        if exporting():
            with serving(exchange.scope["method"], parent, state) as finish:
                await self._guarded(exchange)
                finish(self._route(exchange), exchange.status)
        else:
            begin(parent, state)
            await self._guarded(exchange)

    async def _guarded(self, exchange: Exchange) -> None:
        """Call the function; whatever goes wrong becomes a problem document, if the answer has not begun."""
        own = self._own.get(exchange.scope["path"])
        if self.draining and own is None:
            exchange.refuse(Problem("draining", headers={"Retry-After": "1"}))
            return
        try:
            await (self._call(exchange) if own is None else own(exchange))
        except Exception as error:  # noqa: BLE001 - the last place where a fault can become an answer
            problem = problem_of(error)
            if exchange.head_sent or exchange.disconnected:
                _ABANDONED.add()
            else:
                exchange.refuse(problem)
        except asyncio.CancelledError:
            self._cancelled(exchange)

    def _cancelled(self, exchange: Exchange) -> None:
        """End what was cancelled: a stream whose client left or that drains, or a request that outlived the grace."""
        if exchange.disconnected or exchange.ended:
            return
        if not exchange.head_sent:
            exchange.refuse(Problem("draining", headers={"Retry-After": "1"}))
        elif exchange.cancellable:
            exchange.end_stream()

    async def _call(self, exchange: Exchange) -> None:
        seconds = self._seconds(exchange)
        try:
            async with asyncio.timeout_at(exchange.arrived + seconds):
                with deadlines.deadline(seconds):
                    response = await self._in_slot(exchange)
        except TimeoutError:
            raise Problem("deadline-exceeded", **_traced()) from None
        if response is not None:
            await self._stream(exchange, response)

    async def _in_slot(self, exchange: Exchange) -> Response | None:
        """Call the function in one of the slots, and send its answer unless that may outlive the deadline."""
        if not self._admission.enter_at_once():
            exchange.cancellable = True
            await self._admission.enter()
            exchange.cancellable = False
        try:
            request = Request(exchange.scope, exchange.receive)
            response = await self._handle(request)
            if _is_plain(response):
                exchange.respond(response.status_code, response.raw_headers, bytes(response.body))
                if response.background is not None:
                    await response.background()
                return None
            operation = exchange.scope.get("hal9.operation")
            if operation is not None and operation.streaming:
                return response
            await response(exchange.scope, exchange.receive, exchange.send)
            return None
        finally:
            self._admission.leave()

    async def _stream(self, exchange: Exchange, response: Response) -> None:
        """Send an answer that may go on for long: outside the slots and the deadline, until the client leaves."""
        if len(self._streams) >= self._settings.streams:
            raise Problem("overloaded", 503, "There are too many streams: try again.", headers={"Retry-After": "5"})
        self._streams.add(exchange)
        exchange.cancellable = True
        try:
            await response(exchange.scope, exchange.receive, exchange.send)
        finally:
            self._streams.discard(exchange)

    def drain(self) -> None:
        """Refuse what is new, end the streams; `idle` says when nothing is under way."""
        self.draining = True
        for exchange in list(self._streams):
            if exchange.task is not None:
                exchange.task.cancel()

    def refused(self, problem: Problem) -> None:
        """Count a request that the connection refused."""
        _REFUSED.add(problem.slug)
        _log.debug("request refused", slug=problem.slug, detail=problem.detail)

    def _seconds(self, exchange: Exchange) -> float:
        """Give the time for a request: the function's, or what whoever calls has left."""
        text = _header(exchange, _TIMEOUT_HEADER)
        if not text:
            return self._timeout
        try:
            left = float(text)
        except ValueError:
            return self._timeout
        return min(self._timeout, max(left, 0.0)) if math.isfinite(left) else self._timeout

    def _route(self, exchange: Exchange) -> str:
        operation = exchange.scope.get("hal9.operation")
        if operation is not None:
            return str(operation.path)
        path: str = exchange.scope["path"]
        return path if path in self._own else "other"

    def _measure(self, exchange: Exchange, seconds: float) -> None:
        method, route, status = exchange.scope["method"], self._route(exchange), str(exchange.status)
        _SECONDS.observe(seconds, method, route, status)
        if self._settings.access_log:
            _log.info("request", method=method, route=route, status=exchange.status, seconds=round(seconds, 6))

    # The host's own routes.

    async def _live(self, exchange: Exchange) -> None:
        """Say that the process runs."""
        _own_answer(exchange, b"ok\n")

    async def _ready(self, exchange: Exchange) -> None:
        """Say whether requests are welcome: everything that is needed answers."""
        problem = None
        if self.draining:
            problem = Problem("draining", headers={"Retry-After": "1"})
        else:
            try:
                async with asyncio.timeout(_CHECK_SECONDS):
                    await self._loaded.check()
            except Exception as error:  # noqa: BLE001 - whatever a check raises means "not ready"
                _log.warning("not ready", error=f"{type(error).__name__}: {error}")
                problem = Problem("not-ready", headers={"Retry-After": "1"})
        if problem is None:
            _own_answer(exchange, b"ok\n")
        else:
            exchange.refuse(problem)

    async def _metrics(self, exchange: Exchange) -> None:
        """Give the metrics in Prometheus' text format."""
        _own_answer(exchange, exposition().encode(), metric_text.MEDIA_TYPE.encode("ascii"))


def _is_plain(response: Response) -> bool:
    """Whether the whole body is there already, and nothing but sending is to be done."""
    return type(response).__call__ is Response.__call__


def _own_answer(exchange: Exchange, body: bytes, media_type: bytes = b"text/plain; charset=utf-8") -> None:
    if exchange.scope["method"] not in {"GET", "HEAD"}:
        exchange.refuse(Problem("method-not-allowed", headers={"Allow": "GET, HEAD"}))
        return
    headers = [
        (b"content-type", media_type),
        (b"content-length", str(len(body)).encode("ascii")),
        (b"cache-control", b"no-store"),
    ]
    exchange.respond(200, headers, body)


def _header(exchange: Exchange, name: bytes) -> str:
    """Give the first header field of that name, empty when there is none."""
    for key, value in exchange.scope["headers"]:
        if key == name:
            return str(value.decode("latin-1"))
    return ""


def _traced() -> dict[str, Any]:
    now = trace()
    return {} if now is None else {"trace_id": now.trace_id}
