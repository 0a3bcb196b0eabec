"""The test designer (L3): which cases the software's own tests try, and how they make what they need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.bodies.designing import Design, implementers, joined
from shared.neurons.body import Body
from shared.neurons.results import Complete
from shared.software.designs import DesignerInput, DesignerOutput

if TYPE_CHECKING:
    from shared.neurons.body import Work
    from shared.neurons.results import Result


def design(work: Work[DesignerInput]) -> Result[DesignerOutput]:
    """Design the cases and have them written; then join what was written."""
    from functions.neuron.synthesis.interface import (
        design_api,  # only the layer that designs needs it, at its first step
    )
    from functions.neuron.synthesis.testing import design_tests

    specification = work.input.specification
    tests = design_tests(specification)
    if work.phase == 0:
        return implementers(work.input, ("tests",), Design(api=design_api(specification), tests=tests))
    return Complete(DesignerOutput(tree=joined(work), tests=tests))


TEST_DESIGNER: Final = Body(
    name="test-designer",
    layer="l3",
    input=DesignerInput,
    output=DesignerOutput,
    summary="Designs the cases that the software's own tests try, and joins the tests.",
    work=design,
    memo=Design,
)
