"""The API designer (L3): the face of the software, and with it the code that the face rests on.

Designs the operations of a service, the commands of a program or the names of a library, then has three shares written:
what stands around the code (`project`), models and rules (`domain`), and the face itself (`interface`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.bodies.designing import Design, implementers, joined
from shared.neurons.body import Body
from shared.neurons.results import Complete
from shared.software.designs import DesignerInput, DesignerOutput

if TYPE_CHECKING:
    from shared.neurons.body import Work
    from shared.neurons.results import Result

SHARES: Final = ("project", "domain", "interface")


def design(work: Work[DesignerInput]) -> Result[DesignerOutput]:
    """Design the face and have it written; then join what was written."""
    from functions.neuron.synthesis.interface import (
        design_api,  # only the layer that designs needs it, at its first step
    )

    face = design_api(work.input.specification)
    if work.phase == 0:
        return implementers(work.input, SHARES, Design(api=face))
    return Complete(DesignerOutput(tree=joined(work), api=face))


API_DESIGNER: Final = Body(
    name="api-designer",
    layer="l3",
    input=DesignerInput,
    output=DesignerOutput,
    summary="Designs the operations, commands or names that the software offers, and joins what implements them.",
    work=design,
    memo=Design,
)
