"""What is limited, and what came of asking."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

MICROSECONDS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Limit:
    """A steady rate, and how much of it may come at once.

    Attributes:
        name: For headers and keys, for example `key`.
        per_second: The steady rate.
        burst: How many may come at once after a pause; at least 1.
    """

    name: str
    per_second: float
    burst: int

    def __post_init__(self) -> None:
        if self.per_second <= 0 or self.burst < 1:
            raise ValueError(f"the limit {self.name!r} needs a rate above 0 and a burst of at least 1")

    @property
    def interval(self) -> int:
        """Microseconds that one request costs."""
        return max(1, round(MICROSECONDS / self.per_second))

    @property
    def window_seconds(self) -> int:
        """Seconds in which a spent burst is whole again."""
        return math.ceil(self.burst * self.interval / MICROSECONDS)


@dataclass(frozen=True, slots=True)
class State:
    """One limit after a request.

    Requests left now, microseconds until this one would pass, microseconds until the burst is whole.
    """

    remaining: int
    retry_after: int
    reset_after: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of asking.

    Attributes:
        allowed: Whether all limits let it pass.
        states: Each limit with its state, in the order asked.
        shared: Whether the cache decided, for all instances; False when this process did alone.
        found: The values that were looked up, in the order asked; None for what is not there, or nobody could say.
    """

    allowed: bool
    states: Sequence[tuple[Limit, State]]
    shared: bool = True
    found: Sequence[bytes | None] = ()

    def retry_after_seconds(self) -> int:
        """Give the whole seconds to wait until all limits would let it pass (RFC 9110 section 10.2.3)."""
        return max(1, math.ceil(max(state.retry_after for _, state in self.states) / MICROSECONDS))

    def violated(self) -> list[str]:
        """Name the limits that refused it."""
        return [] if self.allowed else [limit.name for limit, state in self.states if state.retry_after > 0]

    def headers(self) -> dict[str, str]:
        """Give RateLimit-Policy, RateLimit (draft-ietf-httpapi-ratelimit-headers-10); when refused, Retry-After."""
        policies = ", ".join(f'"{limit.name}";q={limit.burst};w={limit.window_seconds}' for limit, _ in self.states)
        now = ", ".join(
            f'"{limit.name}";r={state.remaining};t={math.ceil(state.reset_after / MICROSECONDS)}'
            for limit, state in self.states
        )
        headers = {"RateLimit-Policy": policies, "RateLimit": now}
        return headers if self.allowed else {**headers, "Retry-After": str(self.retry_after_seconds())}
