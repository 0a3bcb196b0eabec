"""Everything about CloudEvents: codec, catalogue, filters, outbox, inbox, relay and subscriptions."""
