"""A model of functions on Knative: how many instances a load takes, how long it waits, what it costs.

    autoscaler   Knative's decisions, from load to wanted pods
    revision     pods, queues, the activator, cold starts: request by request
    arrivals     who asks, and when
    measurements what a function takes: time, processor, cold start; measured, in a file
    scenario     regions with their mix of requests, and the loss of one
    plan         what to set, and what it costs
    checking     the model against what a cluster did

Promises: a run follows from its seed; no request is lost or counted twice; times are simulated, so a run of ten minutes
takes seconds. Does not: know what was not measured; what is assumed stands in the measurements' file, and in
docs/decisions/0012-capacity.md.
"""
