"""The local broker: Knative's rules on one machine.

Promises: an event that was answered with 202 is on the disk and is delivered at least once to every subscription whose
filters it passes, whatever is killed in between; what cannot be delivered becomes a dead letter, kept until the
dead-letter sink has taken it. Does not: deliver in order, or drop duplicates: events with the same id are delivered
again, and a delivery whose answer got lost is repeated, as in a cluster. See docs/decisions/0007-local-platform.md.
"""
