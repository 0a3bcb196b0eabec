"""What happens to a request between the connection and the function: health, admission, deadline, trace, answer."""

from __future__ import annotations

import asyncio
import contextvars
import math
import time
from typing import TYPE_CHECKING, Any, Final

from starlette.requests import Request
from starlette.responses import Response

from knative.host.admission import Admission
from knative.host.starting import Starting
from shared import deadlines
from shared.function.function import problem_of
from shared.problems import Problem
from shared.telemetry import begin, counter, exposition, gauge, histogram, logger, trace
from shared.telemetry import metrics as metric_text
from shared.telemetry.spans import exporting, serving

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from knative.description import FunctionDescription
    from knative.host.exchange import Exchange
    from knative.host.loading import Loaded
    from knative.host.settings import HostSettings

_log = logger(__name__)
_CHECK_SECONDS: Final = 2.0
_STATUS_TEXTS: Final = {status: str(status) for status in range(100, 600)}
_SECONDS = histogram(
    "hal9_http_request_seconds", "Time from a request's header to its answer's end.", ("method", "route", "status")
)
_REFUSED = counter("hal9_http_refused_total", "Requests that no function saw, by the problem's slug.", ("slug",))
_ABANDONED = counter("hal9_http_abandoned_total", "Answers that nobody waited for any more.")


class _Request(Request):
    """A request whose body comes from the exchange without the detour over ASGI messages: it saves 5 us."""

    def __init__(self, exchange: Exchange) -> None:
        super().__init__(exchange.scope, exchange.receive)
        self._exchange = exchange
        self._content: bytes | None = None

    async def body(self) -> bytes:
        """Give the whole body. Raises as `Exchange.body`."""
        if self._content is None:
            if self._stream_consumed:
                raise RuntimeError("the body was streamed already")
            self._stream_consumed = True
            self._content = self._exchange.body_at_once()
            if self._content is None:
                self._content = await self._exchange.body()
        return self._content

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """Give the body piece by piece."""
        if self._content is None:
            async for chunk in super().stream():
                yield chunk
        else:
            yield self._content
            yield b""


class Application:
    """Answers the requests of one function's process.

    Args:
        loaded: the function.
        description: its function.toml.
        concurrency: requests at once.
        queue: requests that may wait.
        settings: the host's.
        starting: notes the first probe and the first ready answer.
    """

    def __init__(
        self,
        loaded: Loaded,
        description: FunctionDescription,
        concurrency: int,
        queue: int,
        settings: HostSettings,
        starting: Starting | None = None,
    ) -> None:
        self._starting = starting or Starting()
        self._checking: asyncio.Task[None] | None = None
        self._loaded = loaded
        self._handle: Callable[[Request], Awaitable[Response]] = loaded.handle
        self._timeout = description.timeout_seconds
        self._admission = Admission(concurrency, queue)
        self._settings = settings
        self._streams: set[Exchange] = set()
        self._under_way: set[Exchange] = set()
        self._loop = asyncio.get_running_loop()
        self._next = math.inf
        self._timer: asyncio.TimerHandle | None = None
        self._own = {"/healthz/live": self._live, "/healthz/ready": self._ready}
        if settings.metrics:
            self._own["/metrics"] = self._metrics
        self.draining = False
        self.idle = asyncio.Event()  # said only while draining
        gauge("hal9_http_running", "Requests that are being answered.", read=lambda: float(self._admission.running))
        gauge("hal9_http_waiting", "Requests that wait for a slot.", read=lambda: float(self._admission.waiting))
        gauge("hal9_http_streams", "Streamed answers that are under way.", read=lambda: float(len(self._streams)))

    async def answer(self, exchange: Exchange) -> None:
        """Answer one request, whatever happens."""
        self._under_way.add(exchange)
        try:
            parent = exchange.traceparent.decode("latin-1")
            state = exchange.tracestate.decode("latin-1") if exchange.tracestate else ""
            if exporting():
                with serving(exchange.scope["method"], parent, state) as finish:
                    await self._dispatch(exchange)
                    finish(self._route(exchange), exchange.status)
            else:
                begin(parent, state)
                await self._dispatch(exchange)
        except Exception as error:  # noqa: BLE001 - the last place where a fault can become an answer
            self._refuse(exchange, problem_of(error))
        except asyncio.CancelledError:
            self._cancelled(exchange)
        finally:
            self._under_way.discard(exchange)
            if self.draining and not self._under_way:
                self.idle.set()
            self._measure(exchange)
            exchange.finished()

    def _dispatch(self, exchange: Exchange) -> Awaitable[None]:
        """Give what answers the request: one of the host's own routes, or the function unless we drain."""
        own = self._own.get(exchange.scope["path"])
        if own is not None:
            return own(exchange)
        if self.draining:
            raise Problem("draining", headers={"Retry-After": "1"})
        seconds = min(self._timeout, _left(exchange.timeout)) if exchange.timeout else self._timeout
        return self._call(exchange, seconds)

    def _refuse(self, exchange: Exchange, problem: Problem) -> None:
        if exchange.head_sent or exchange.disconnected:
            _ABANDONED.add()
        else:
            exchange.refuse(problem)

    def _cancelled(self, exchange: Exchange) -> None:
        """End what was cancelled: by its deadline, because the client left, or because the process drains."""
        if exchange.expired:
            self._refuse(exchange, Problem("deadline-exceeded", **_traced()))
        elif exchange.disconnected or exchange.ended:
            return
        elif not exchange.head_sent:
            exchange.refuse(Problem("draining", headers={"Retry-After": "1"}))
        elif exchange.cancellable:
            exchange.end_stream()

    async def _call(self, exchange: Exchange, seconds: float) -> None:
        """Call the function in one of the slots and send its answer, within the deadline."""
        self._watch(exchange, exchange.arrived + seconds)
        deadlines.enter(deadlines.Deadline(exchange.deadline, self._loop.time))
        if not self._admission.enter_at_once():
            exchange.cancellable = True
            await self._admission.enter()
            exchange.cancellable = False
        try:
            response = await self._handle(_Request(exchange))
            if _is_plain(response):
                exchange.respond(response.status_code, response.raw_headers, response.body)  # type: ignore[arg-type]
                if response.background is not None:
                    await response.background()
                return
            operation = exchange.scope.get("hal9.operation")
            if operation is None or not operation.streaming:
                await response(exchange.scope, exchange.receive, exchange.send)
                return
        finally:
            self._admission.leave()
        await self._stream(exchange, response)

    async def _stream(self, exchange: Exchange, response: Response) -> None:
        """Send an answer that may go on for long: outside the slots and the deadline, until the client leaves."""
        if len(self._streams) >= self._settings.streams:
            raise Problem("overloaded", 503, "There are too many streams: try again.", headers={"Retry-After": "5"})
        exchange.deadline = math.inf
        deadlines.enter(None)
        self._streams.add(exchange)
        exchange.cancellable = True
        try:
            if not self.draining:
                await response(exchange.scope, exchange.receive, exchange.send)
        finally:
            self._streams.discard(exchange)

    # Deadlines: one timer for all of them, because most are met and a timer for each would cost 3 us.

    def _watch(self, exchange: Exchange, deadline: float) -> None:
        exchange.deadline = deadline
        if deadline < self._next:
            self._arm(deadline)

    def _arm(self, deadline: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._next = deadline
        self._timer = None if deadline == math.inf else self._loop.call_at(deadline, self._expire)

    def _expire(self) -> None:
        """Cancel what is beyond its deadline; wait for the next one."""
        self._timer = None
        now = self._loop.time()
        coming = math.inf
        for exchange in list(self._under_way):
            if exchange.deadline > now:
                coming = min(coming, exchange.deadline)
            elif exchange.task is not None:
                exchange.deadline = math.inf
                exchange.expired = True
                exchange.task.cancel()
        self._arm(coming)

    def drain(self) -> None:
        """Refuse what is new, end the streams; `idle` says when nothing is under way."""
        self.draining = True
        if not self._under_way:
            self.idle.set()
        for exchange in list(self._streams):
            if exchange.task is not None:
                exchange.task.cancel()

    @property
    def under_way(self) -> list[Exchange]:
        """What is being answered."""
        return list(self._under_way)

    def refused(self, problem: Problem) -> None:
        """Count a request that the connection refused."""
        _REFUSED.add(problem.slug)
        _log.debug("request refused", slug=problem.slug, detail=problem.detail)

    def _route(self, exchange: Exchange) -> str:
        operation = exchange.scope.get("hal9.operation")
        if operation is not None:
            return str(operation.path)
        path: str = exchange.scope["path"]
        return path if path in self._own else "other"

    def _measure(self, exchange: Exchange) -> None:
        method, route = exchange.scope["method"], self._route(exchange)
        seconds = time.monotonic() - exchange.arrived
        _SECONDS.observe(seconds, method, route, _STATUS_TEXTS.get(exchange.status, "0"))
        if self._settings.access_log:
            _log.info("request", method=method, route=route, status=exchange.status, seconds=round(seconds, 6))

    # The host's own routes.

    async def _live(self, exchange: Exchange) -> None:
        """Say that the process runs."""
        _own_answer(exchange, b"ok\n")

    async def _ready(self, exchange: Exchange) -> None:
        """Say whether requests are welcome: everything that is needed answers."""
        self._starting.asked()
        problem = None
        if self.draining:
            problem = Problem("draining", headers={"Retry-After": "1"})
        else:
            try:
                await asyncio.shield(self._check())
            except Exception as error:  # noqa: BLE001 - whatever a check raises means "not ready"
                _log.warning("not ready", error=f"{type(error).__name__}: {error}")
                problem = _not_ready(error)
        if problem is None:
            self._starting.ready()
            _own_answer(exchange, b"ok\n")
        else:
            exchange.refuse(problem)

    def warm(self) -> None:
        """Begin to connect to what is needed before anybody asks; whether it answers, a probe is told."""
        self._check()

    def _check(self) -> asyncio.Task[None]:
        """Give the check that is under way, or begin one: probes that come together open no connection each."""
        if self._checking is None or self._checking.done():
            # An empty context: the check belongs to no request.
            self._checking = self._loop.create_task(self._checked(), context=contextvars.Context())
            self._checking.add_done_callback(_noticed)
        return self._checking

    async def _checked(self) -> None:
        async with asyncio.timeout(_CHECK_SECONDS):
            await self._loaded.check()

    async def _metrics(self, exchange: Exchange) -> None:
        """Give the metrics in Prometheus' text format."""
        _own_answer(exchange, exposition().encode(), metric_text.MEDIA_TYPE.encode("ascii"))


def _not_ready(error: Exception) -> Problem:
    """What a probe is told: also why, as `reason`, where that may be known outside."""
    if not isinstance(error, Problem):
        return Problem("not-ready", headers={"Retry-After": "1"})
    retry = error.headers.get("Retry-After", "1")
    return Problem("not-ready", headers={"Retry-After": retry}, reason=f"{error.title}. {error.detail}")


def _noticed(task: asyncio.Task[None]) -> None:
    """Take note of an exception that nobody may wait for: the next probe meets it again."""
    if not task.cancelled():
        task.exception()


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


def _left(value: bytes) -> float:
    """Read a hal9-timeout header: seconds; infinity when it is none."""
    try:
        left = float(value)
    except ValueError:
        return math.inf
    return max(left, 0.0) if math.isfinite(left) else math.inf


def _traced() -> dict[str, Any]:
    now = trace()
    return {} if now is None else {"trace_id": now.trace_id}
