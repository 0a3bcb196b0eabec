"""Requests: sent, tried again where that does no harm, and their answers judged.

A request is repeated when nothing can have come of it (the server said 429, or 503 while draining or overloaded; no
connection could be made), and, if it may be done twice without harm (it reads, deletes, or carries an Idempotency-Key),
also after 502, 503, 504 and a lost connection. The waits grow with full jitter, and are never shorter than Retry-After
asks; a server that asks for more than `_LONGEST_PAUSE_SECONDS` is not waited for, its refusal is given. Whoever is
`told` hears of every wait before it begins.
"""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

import httpx

from shared.client.errors import ApiError, UnreachableError
from shared.randomness import SystemRandomness, uniform

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pydantic import BaseModel

    from shared.client.credentials import Credentials
    from shared.client.errors import ClientError

    M = TypeVar("M", bound=BaseModel)

IDEMPOTENCY_KEY: Final = "Idempotency-Key"
_SAFE: Final = frozenset({"GET", "HEAD", "DELETE"})
_NOTHING_CAME_OF_IT: Final = frozenset({"rate-limited", "draining", "overloaded", "not-ready"})
_AGAIN: Final = frozenset({429, 502, 503, 504})
_FIRST_PAUSE_SECONDS: Final = 0.25
_LONGEST_PAUSE_SECONDS: Final = 20.0
_FIRST_FAULT: Final = 400
_USER_AGENT: Final = "hal9-python/0.1"


class Transport:
    """Sends requests with one key.

    Args:
        credentials: Where to, and who asks.
        seconds: How long one try may take.
        tries: How often at most.
        sleep: Waits between tries, seconds.
        told: Hears why, and for how many seconds, before each wait.
    """

    def __init__(
        self,
        credentials: Credentials,
        seconds: float,
        tries: int,
        sleep: Callable[[float], None] = time.sleep,
        told: Callable[[ClientError, float], None] | None = None,
    ) -> None:
        self._tries = max(1, tries)
        self._sleep = sleep
        self._told = told
        self._randomness = SystemRandomness()
        self._http = httpx.Client(
            base_url=credentials.url,
            timeout=seconds,
            headers={"Authorization": f"Bearer {credentials.api_key}", "User-Agent": _USER_AGENT},
            follow_redirects=False,
            transport=None if credentials.connect_to is None else _ElsewhereTransport(credentials.connect_to),
        )

    def close(self) -> None:
        """Close every connection."""
        self._http.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        body: BaseModel | None = None,
        content: bytes | None = None,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Send a request and give its answer, which is a success.

        Args:
            method: Upper case.
            path: Begins with a slash.
            body: Sent as JSON.
            content: Sent as it is.
            query: Parameters; those that are None are left out.
            headers: Further headers.

        Raises:
            ApiError: The API refused.
            UnreachableError: There was no answer.
        """
        sent = dict(headers or {})
        if body is not None:
            content = body.model_dump_json(exclude_none=True).encode()
            sent["Content-Type"] = "application/json"
        parameters = {name: str(value) for name, value in (query or {}).items() if value is not None}
        request = self._http.build_request(method, path, content=content, params=parameters, headers=sent)
        harmless = method in _SAFE or IDEMPOTENCY_KEY in sent
        for left in reversed(range(self._tries)):
            try:
                return self._sent(request)
            except ApiError as error:
                wait = error.document.get("retry_after") or 0
                if not left or error.status not in _AGAIN or not (harmless or error.slug in _NOTHING_CAME_OF_IT):
                    raise
                if wait > _LONGEST_PAUSE_SECONDS:
                    raise
                self.pause(self._tries - left, error, at_least=wait)
            except UnreachableError as error:
                if not left or not (harmless or isinstance(error.__cause__, httpx.ConnectError)):
                    raise
                self.pause(self._tries - left, error)
        raise AssertionError("unreachable")  # the last try returned or raised

    def model(self, model: type[M], method: str, path: str, **more: Any) -> M:
        """Send a request and give its answer as a model. Raises as `request`."""
        answer = self.request(method, path, **more)
        try:
            return model.model_validate_json(answer.content)
        except ValueError as error:
            raise UnreachableError(
                f"{answer.url} gave an answer that is not what the API gives: is the address right?"
            ) from error

    @contextmanager
    def stream(
        self, path: str, headers: Mapping[str, str] | None = None, *, endless: bool = False
    ) -> Iterator[httpx.Response]:
        """Send a GET and give its answer while it comes. Raises as `request`, never tries again.

        Args:
            path: Begins with a slash.
            headers: Further headers.
            endless: Wait for the next piece for as long as the server keeps the connection.
        """
        timeout = httpx.Timeout(self._http.timeout.connect, read=None) if endless else self._http.timeout
        try:
            with self._http.stream("GET", path, headers=dict(headers or {}), timeout=timeout) as answer:
                if answer.status_code >= _FIRST_FAULT:
                    answer.read()
                    raise _error(answer)
                yield answer
        except httpx.TransportError as error:
            raise _unreachable(error, self._http.base_url) from error

    def _sent(self, request: httpx.Request) -> httpx.Response:
        try:
            answer = self._http.send(request)
        except httpx.TransportError as error:
            raise _unreachable(error, self._http.base_url) from error
        if answer.status_code >= _FIRST_FAULT:
            raise _error(answer)
        return answer

    def pause(self, number: int, error: ClientError, *, at_least: float = 0.0) -> None:
        """Wait before the try of that number, from 1, with full jitter.

        Args:
            number: Of the try that comes after it.
            error: What is waited for to go away.
            at_least: Seconds that the server asks for.
        """
        longest = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2.0**number)
        seconds = at_least + uniform(self._randomness) * longest
        if self._told is not None:
            self._told(error, seconds)
        self._sleep(seconds)


class _ElsewhereTransport(httpx.HTTPTransport):
    """Connects to one place, whatever the address says; the host that is asked for, and TLS's name, stay the address's.

    Args:
        place: `host:port`.
    """

    def __init__(self, place: str) -> None:
        super().__init__()
        host, _, port = place.rpartition(":")
        self._host, self._port = host.strip("[]"), int(port)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request there."""
        moved = httpx.Request(
            request.method,
            request.url.copy_with(host=self._host, port=self._port),
            headers=request.headers,
            stream=request.stream,
            extensions={**request.extensions, "sni_hostname": request.url.host},
        )
        return super().handle_request(moved)


def _error(answer: httpx.Response) -> ApiError | UnreachableError:
    """Read a problem document; an answer that is none does not come from the API."""
    try:
        document = json.loads(answer.content)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        return UnreachableError(
            f"{answer.url} answered {answer.status_code}, but not as the API does: is the address right?"
        )
    wait = answer.headers.get("retry-after", "")
    if wait.isascii() and wait.isdigit():
        document.setdefault("retry_after", int(wait))
    return ApiError(answer.status_code, document, answer.headers.get("x-trace-id"))


def _unreachable(error: httpx.TransportError, url: httpx.URL) -> UnreachableError:
    if isinstance(error, httpx.TimeoutException):
        return UnreachableError(f"{url} did not answer in time: try again, or look at `hal9 status`.")
    return UnreachableError(f"{url} cannot be reached: is the platform up? Run `hal9 up`, or set HAL9_URL. ({error})")
