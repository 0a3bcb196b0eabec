"""The three layers of neurons, and who executes a body.

L4 plans, L3 specifies, L2 does. Each layer is a deployment of the function `neuron` with its own scale. A body whose
layer is none of the three is *delegated*: the name is that of another function's deployment, which takes
`step.requested` and answers with `step.answered`.
"""

from __future__ import annotations

from typing import Final

L4: Final = "l4"
L3: Final = "l3"
L2: Final = "l2"
LAYERS: Final = (L4, L3, L2)


def executor_of(layer: str) -> str:
    """Give the deployment that executes a layer: `l3` -> `neuron-l3`.

    Any other name is a delegated executor and stays.
    """
    return f"neuron-{layer}" if layer in LAYERS else layer
