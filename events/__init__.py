"""Everything about CloudEvents: codec, catalogue, filters, outbox, inbox, relay and subscriptions."""

from events.cloudevent import AttributeValue, CloudEvent, Fault, MalformedEvent

__all__ = ["AttributeValue", "CloudEvent", "Fault", "MalformedEvent"]
