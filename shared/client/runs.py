"""Runs of neurons, and their live stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid4

from shared.client.errors import ApiError, UnreachableError, checked
from shared.client.pages import each
from shared.client.transport import IDEMPOTENCY_KEY
from shared.neurons.wire import ENDED, EngineChoice, Limits, Run, RunEvent, RunPage, RunRequest, RunState, RunSummary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx

    from shared.client.errors import ClientError
    from shared.client.transport import Transport

_LAST_EVENTS: Final = frozenset({"run.completed", "run.failed", "run.cancelled"})
_MOST_IN_VAIN: Final = 8
_AGAIN: Final = frozenset({429, 502, 503, 504})


class Runs:
    """`/v1/runs`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def start(
        self,
        process: str,
        input: dict[str, Any],  # noqa: A002 - the field's name
        *,
        limits: Limits | None = None,
        engine: EngineChoice | None = None,
        idempotency_key: str | None = None,
    ) -> Run:
        """Start a run.

        Args:
            process: The kind of run, for example `software`.
            input: What its root neuron takes.
            limits: Caps; what is left out is the process's default.
            engine: `builtin` keeps language models out of it.
            idempotency_key: The same key gives the same run; made up when None.
        """
        body = checked(RunRequest, process=process, input=input, limits=limits or Limits(), engine=engine)
        headers = {IDEMPOTENCY_KEY: idempotency_key or str(uuid4())}
        return self._transport.model(Run, "POST", "/v1/runs", body=body, headers=headers)

    def get(self, run_id: UUID | str) -> Run:
        """Show a run with its tree of steps."""
        return self._transport.model(Run, "GET", _path(run_id))

    def page(
        self,
        *,
        limit: int = 50,
        cursor: object | None = None,
        process: str | None = None,
        state: RunState | None = None,
    ) -> RunPage:
        """Give one page of runs, the newest first."""
        query = {"limit": limit, "cursor": cursor, "process": process, "state": state}
        return self._transport.model(RunPage, "GET", "/v1/runs", query=query)

    def list(self, *, process: str | None = None, state: RunState | None = None) -> Iterator[RunSummary]:
        """Give every run, the newest first."""
        return each(
            lambda cursor: self.page(cursor=cursor, process=process, state=state),
            lambda page: page.runs,
            lambda page: page.next_cursor,
        )

    def cancel(self, run_id: UUID | str) -> Run:
        """Cancel a run and every step of it."""
        return self._transport.model(Run, "POST", f"{_path(run_id)}/cancel")

    def replay(self, run_id: UUID | str, *, idempotency_key: str | None = None) -> Run:
        """Start a new run that takes every paid answer out of another one's journal; the same key, the same run."""
        headers = {IDEMPOTENCY_KEY: idempotency_key or str(uuid4())}
        return self._transport.model(Run, "POST", f"{_path(run_id)}/replay", headers=headers)

    def watch(
        self, run_id: UUID | str, *, after: int = 0, quiet: Callable[[], None] | None = None
    ) -> Iterator[RunEvent]:
        """Give what happens in a run as it happens, until the run has ended; a stream that breaks is taken up again.

        Args:
            run_id: The run.
            after: Only what comes after this sequence; 0 for everything.
            quiet: Called whenever nothing has happened for a while: each time that the API says it is still there.

        Raises:
            ApiError: There is no such run, or the key may not see it.
            UnreachableError: The API did not come back.
        """
        in_vain = 0
        while True:
            came = False
            try:
                with self._transport.stream(
                    f"{_path(run_id)}/events", {"Last-Event-ID": str(after)}, endless=True
                ) as answer:
                    for event in _events(answer, quiet):
                        came, after = True, event.sequence
                        yield event
                        if event.type in _LAST_EVENTS:
                            return
                run = self.get(run_id)
                if run.state in ENDED and run.last_event <= after:
                    return
                trouble: ClientError = UnreachableError("The stream of events ended before its run did.")
            except UnreachableError as error:
                if in_vain >= _MOST_IN_VAIN:
                    raise
                trouble = error
            except ApiError as error:
                if error.status not in _AGAIN or in_vain >= _MOST_IN_VAIN:
                    raise
                trouble = error
            in_vain = 0 if came else in_vain + 1
            self._transport.pause(in_vain, trouble)


def _path(run_id: UUID | str) -> str:
    return f"/v1/runs/{UUID(str(run_id))}"


def _events(answer: httpx.Response, quiet: Callable[[], None] | None) -> Iterator[RunEvent]:
    """Read a stream of server-sent events (WHATWG HTML, section 9.2.6); an event that is cut off is none."""
    data: list[str] = []
    for line in answer.iter_lines():
        if line.startswith("data:"):
            data.append(line.removeprefix("data:").removeprefix(" "))
        elif line.startswith(":") and quiet is not None:
            quiet()
        elif not line and data:
            yield RunEvent.model_validate_json("\n".join(data))
            data = []
