"""Events of what runs by the clock."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pydantic import Field

from events.catalogue import EventData, event_type


@event_type("ai.hal9.upkeep.sweep.requested", tenant=False)
class SweepRequested(EventData):
    """The clock asks for a sweep: what was left in outboxes, expired leases, deadlines of delegated steps."""


Meter = Literal["runs", "model_tokens", "cost", "browser_minutes", "storage", "seats", "events"]


@event_type("ai.hal9.upkeep.usage.recorded")
class UsageRecorded(EventData):
    """Something was used outside a transaction of the shard; the event's source and id make it one use."""

    meter: Meter
    amount: int = Field(
        ge=-(2**53),
        le=2**53,
        description="In the meter's unit; negative for what is no longer used, or was told wrong.",
    )


class QuotaLevel(EventData):
    """How far an organisation is with one meter."""

    meter: Meter
    period: dt.date = Field(description="The month's first day (UTC); 1970-01-01 for levels, such as storage.")
    used: int
    soft: int = Field(description="The level of the warning: 80 % of the hard limit.")
    hard: int = Field(description="Nothing is taken beyond it.")


@event_type("ai.hal9.upkeep.quota.warned")
class QuotaWarned(QuotaLevel):
    """An organisation has used 80 % of what its tier allows; told once for each limit and period."""


@event_type("ai.hal9.upkeep.quota.reached")
class QuotaReached(QuotaLevel):
    """An organisation has used all that its tier allows: what would be more is refused from now on."""


@event_type("ai.hal9.upkeep.probe.requested", tenant=False)
class ProbeRequested(EventData):
    """Somebody asks whether events are delivered: whoever takes it says so, and replies (`shared.eventprobe`)."""

    probe: str = Field(pattern="^[0-9a-f]{32}$", description="Which probe it is.")


@event_type("ai.hal9.upkeep.probe.answered", tenant=False)
class ProbeAnswered(EventData):
    """The reply to a probe: whoever takes it says so."""

    probe: str = Field(pattern="^[0-9a-f]{32}$", description="Which probe it is.")
