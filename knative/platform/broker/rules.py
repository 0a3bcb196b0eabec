"""Knative's delivery rules, as pure functions: what is retried, when, and what a dead letter says.

The codes are those of Knative Eventing's `SelectiveRetry`, the pauses those of its `RetryConfig`: exponential is
delay * 2^n, linear delay * n, with n from 0. Retry-After is honoured (its `delivery-retryafter` feature), bounded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime

    from events.cloudevent import CloudEvent

RETRIED_CODES: Final = frozenset({404, 408, 409, 429})
"""Codes below 500 that are retried: what an instance that is not ready yet, or busy, answers."""

LONGEST_PAUSE_SECONDS: Final = 3600.0
SINK_PAUSE_SECONDS: Final = 30.0
ERROR_DATA_CHARACTERS: Final = 1024
"""Knative's bound on `knativeerrordata`."""

_UNPRINTABLE: Final = re.compile(r"[^\x20-\x7e\xa0-\ud7ff\ue000-\ufdcf\ufdf0-\ufffd]+")


@dataclass(frozen=True, slots=True)
class Policy:
    """How a subscription is delivered to.

    Attributes:
        retry: Attempts after the first.
        backoff: `exponential` or `linear`.
        delay_seconds: The unit of the pauses.
        timeout_seconds: Of one attempt.
        endless: Retried until it is taken: for the dead-letter sink.
        dead_letter: What cannot be delivered is kept; False for ticks of the clock, of which another one comes.
    """

    retry: int = 10
    backoff: str = "exponential"
    delay_seconds: float = 0.2
    timeout_seconds: float = 300.0
    endless: bool = False
    dead_letter: bool = True


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one attempt.

    Attributes:
        status: The answer's, None when there was none.
        data: Why, or the first bytes of the answer's body.
        retry_after: Seconds that the answer asked for.
        reply: The event that the answer held.
    """

    status: int | None
    data: str = ""
    retry_after: float | None = None
    reply: CloudEvent | None = None

    @property
    def delivered(self) -> bool:
        """Whether the subscriber took the event."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def retryable(self) -> bool:
        """Whether another attempt may fare better."""
        return self.status is None or self.status >= 500 or self.status in RETRIED_CODES


def pause(policy: Policy, retries: int, retry_after: float | None) -> float:
    """Give the seconds before the next attempt.

    Args:
        policy: The subscription's.
        retries: How many retries there were before it: 0 for the first one.
        retry_after: What the last answer asked for; the pause is at least that long.
    """
    factor = float(retries) if policy.backoff == "linear" else 2.0 ** min(retries, 30)
    seconds = policy.delay_seconds * factor
    if policy.endless:
        seconds = min(seconds, SINK_PAUSE_SECONDS)
    return min(max(seconds, retry_after or 0.0), LONGEST_PAUSE_SECONDS)


def retry_after_seconds(value: str, now: datetime) -> float | None:
    """Read a Retry-After field (RFC 9110, section 10.2.3): seconds or a date; None when it is neither."""
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(min(int(text[:9]), LONGEST_PAUSE_SECONDS))
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - now).total_seconds())


def dead_letter(event: CloudEvent, outcome: Outcome, destination: str) -> CloudEvent:
    """Give the event as the dead-letter sink gets it, with what Knative says of the last attempt.

    Args:
        event: What could not be delivered.
        outcome: The last attempt's; -1 stands for no answer at all.
        destination: Where it could not be delivered to.
    """
    extensions: dict[str, str | int] = {
        "knativeerrorcode": -1 if outcome.status is None else outcome.status,
        "knativeerrordest": destination,
    }
    data = _UNPRINTABLE.sub(" ", outcome.data)[:ERROR_DATA_CHARACTERS].strip()
    if data:
        extensions["knativeerrordata"] = data
    return event.with_extensions(**extensions)
