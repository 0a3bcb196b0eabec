"""What one HTTP/1.1 request means (RFC 9112), for every server of ours: the activator's, the broker's, a function's.

Two servers stand behind one another. Whatever they read differently lets a request through that one of them did not
see (request smuggling), so the rules stand here once, on top of the same parser (llhttp).

Promises: a message has one length or is refused; one target; one host; header fields, and what frames chunks, are
bounded by the same measures. Does not: parse, time, or answer; and how much a server takes is its own affair
(`HeaderLimits`), as long as it refuses alike.
"""

from __future__ import annotations

from knative.framing.requests import (
    DEFAULT_LIMITS,
    Framing,
    HeaderLimits,
    field_bytes,
    framing_left,
    framing_of,
    malformed,
)
from knative.framing.targets import origin_form

__all__ = [
    "DEFAULT_LIMITS",
    "Framing",
    "HeaderLimits",
    "field_bytes",
    "framing_left",
    "framing_of",
    "malformed",
    "origin_form",
]
