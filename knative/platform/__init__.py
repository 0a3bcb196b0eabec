"""The local platform: what runs the functions on one machine by Knative's rules, with no cluster and no root.

Rooms: `servers` (embedded PostgreSQL and Valkey), `broker` (events), `activator` (instances from zero to many),
`forwarding` (streaming proxy), `supervisor` (all of it). It holds no feature that a cluster lacks: where users
outgrow it, the same functions run on Knative.
"""
