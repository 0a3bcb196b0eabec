"""W3C Trace Context (https://www.w3.org/TR/trace-context/, level 1): read it, continue it, pass it on.

Promises: a malformed `traceparent` begins a new trace, as the recommendation asks, and is never an error.
Does not: record anything; that is `shared.telemetry.spans`.
"""

from __future__ import annotations

import os
import re
from contextvars import ContextVar
from typing import Final

_TRACEPARENT: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_LONGEST_STATE: Final = 512


class Trace:
    """Where we are in a trace.

    Attributes:
        trace_id: 32 lower-case hexadecimal digits, the same for everything that one request causes.
        span_id: 16 lower-case hexadecimal digits: what is being done here.
        flags: the trace flags; bit 0 says "sampled".
        state: the `tracestate` that came in; passed on unchanged.
    """

    __slots__ = ("flags", "span_id", "state", "trace_id")

    def __init__(self, trace_id: str, span_id: str, flags: int = 1, state: str = "") -> None:
        self.trace_id = trace_id
        self.span_id = span_id
        self.flags = flags
        self.state = state

    def header(self) -> str:
        """Give the `traceparent` that says: caused by this."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags & 1:02x}"


class _Pending:
    """A piece of work whose trace nobody asked for yet: most requests need none, and making one costs 4 us."""

    __slots__ = ("_header", "_made", "_state")

    def __init__(self, header: str | None, state: str) -> None:
        self._header = header
        self._state = state
        self._made: Trace | None = None

    def trace(self) -> Trace:
        """Give its place in the trace that the header names, or in a new one: the same to all tasks that share it."""
        if self._made is None:
            parent = parse(self._header, self._state) if self._header else None
            span_id = os.urandom(8).hex()
            if parent is None:
                self._made = Trace(os.urandom(16).hex(), span_id)
            else:
                self._made = Trace(parent.trace_id, span_id, parent.flags, parent.state)
        return self._made


_current: ContextVar[Trace | _Pending | None] = ContextVar("hal9_trace", default=None)


def parse(header: str, state: str = "") -> Trace | None:
    """Read a `traceparent` (section 3.2); None when it is malformed."""
    match = _TRACEPARENT.fullmatch(header)
    if match is None:
        return None
    version, trace_id, span_id, flags, more = match.groups()
    if version == "ff" or (version == "00" and more) or not trace_id.strip("0") or not span_id.strip("0"):
        return None
    return Trace(trace_id, span_id, int(flags, 16), state if len(state) <= _LONGEST_STATE else "")


def begin(header: str | None = None, state: str = "") -> None:
    """Start a piece of work: in the trace that `header` names, or else in a new one; it is current from now on.

    Args:
        header: the `traceparent` that came with the request or the event.
        state: the `tracestate` that came with it.
    """
    _current.set(_Pending(header, state))


def begun() -> bool:
    """Whether we are in a trace."""
    return _current.get() is not None


def trace() -> Trace | None:
    """Give where we are, None outside of any trace."""
    now = _current.get()
    return now.trace() if isinstance(now, _Pending) else now


def set_trace(now: Trace | None) -> None:
    """Make a place in a trace the current one."""
    _current.set(now)


def traceparent() -> str | None:
    """Give the header for what we cause: outgoing requests and events. None outside of any trace."""
    now = trace()
    return None if now is None else now.header()
