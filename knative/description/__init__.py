"""function.toml: the one description of a function, read and checked.

The host, the local platform and the renderer all read it here, so that what runs locally is what runs in a cluster.
Promises: a wrong file is refused whole, with every fault named (`DescriptionError.faults`); unknown keys are faults;
what comes out is frozen.
Does not: import the function, or compile its filters (`events.filters` does).
"""

from __future__ import annotations

from knative.description.model import (
    Delivery,
    Deployment,
    Egress,
    FunctionDescription,
    ImageParts,
    Resources,
    Route,
    Scale,
    Schedule,
    Secret,
    Subscription,
)
from knative.description.reading import FILE_NAME, load, load_all
from knative.description.table import DescriptionError

__all__ = [
    "FILE_NAME",
    "Delivery",
    "Deployment",
    "DescriptionError",
    "Egress",
    "FunctionDescription",
    "ImageParts",
    "Resources",
    "Route",
    "Scale",
    "Schedule",
    "Secret",
    "Subscription",
    "load",
    "load_all",
]
