"""What one peer may take of the server, and how much waits in its memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from knative.framing import DEFAULT_LIMITS, HeaderLimits

CHUNK_HIGH: Final = 128 * 1024
"""Bytes of a body that wait to be taken before the connection stops being read."""

WRITE_HIGH: Final = 128 * 1024
"""Bytes that wait to be sent before a writer has to wait."""

LINGER_SECONDS: Final = 5.0
"""How long a refused peer may go on sending, unheard, so that it can read the refusal (RFC 9112, section 9.6)."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one peer may take.

    Attributes:
        header: how large its head may be.
        header_seconds: from a message's first byte to the end of its fields.
        idle_seconds: of a kept connection between two requests.
        body_grace_seconds: before a body's mean rate is looked at.
        body_bytes_per_second: the least mean rate of a body while somebody waits for it.
        stall_seconds: that a peer may leave what we send unread.
        connections: at once.
    """

    header: HeaderLimits = DEFAULT_LIMITS
    header_seconds: float = 15.0
    idle_seconds: float = 95.0
    body_grace_seconds: float = 15.0
    body_bytes_per_second: float = 512.0
    stall_seconds: float = 60.0
    connections: int = 1024
