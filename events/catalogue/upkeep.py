"""Events of what runs by the clock."""

from __future__ import annotations

from events.catalogue import EventData, event_type


@event_type("ai.hal9.upkeep.sweep.requested", tenant=False)
class SweepRequested(EventData):
    """The clock asks for a sweep: what was left in outboxes, expired leases, deadlines of delegated steps."""
