"""How the function `neuron` is set."""

from __future__ import annotations

from shared.settings import setting, settings


@settings
class NeuronSettings:
    """Limits of runs and steps, and which processes there are."""

    region: str = setting(
        "HAL9_REGION", default="us-west", doc="The region that this process runs in: part of its events' source."
    )
    layer: str = setting(
        "HAL9_NEURON_LAYER", default="l4", doc="The layer that this deployment runs.", choices=("l4", "l3", "l2")
    )
    processes: str = setting(
        "HAL9_NEURON_PROCESSES",
        default="",
        doc="Further kinds of runs: comma-separated `module:ATTRIBUTE` of process descriptions "
        "(shared.neurons.Process).",
    )
    lease_seconds: float = setting(
        "HAL9_NEURON_LEASE_SECONDS",
        default=10.0,
        doc="Seconds after which a step whose process died is given to another; renewed thrice in that time.",
        minimum=0.2,
        maximum=300.0,  # a lease that ends later counts as one of a clock that was set back: neuron_furthest()
    )
    streams: int = setting(
        "HAL9_NEURON_STREAMS",
        default=16,
        doc="Live streams of runs that an organisation may have open at one instance.",
        minimum=1,
    )
    backlog_seconds: float = setting(
        "HAL9_NEURON_BACKLOG_SECONDS",
        default=0.5,
        doc="Seconds that a step's request has waited from which on whose turn it is, is decided by tier.",
    )
    max_depth: int = setting("HAL9_NEURON_MAX_DEPTH", default=8, doc="How deep a run's tree may grow.", minimum=1)
    max_children: int = setting(
        "HAL9_NEURON_MAX_CHILDREN", default=64, doc="Children that a step may start at once.", minimum=1
    )
    max_steps: int = setting("HAL9_NEURON_MAX_STEPS", default=1000, doc="Steps that a run may make in all.", minimum=1)
    max_phases: int = setting(
        "HAL9_NEURON_MAX_PHASES", default=32, doc="How often a step may start children.", minimum=1
    )
