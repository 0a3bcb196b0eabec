"""The database designer (L3): tables, constraints, indexes and views, and the code that keeps data in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.bodies.designing import Design, implementers, joined
from shared.neurons.body import Body
from shared.neurons.results import Complete
from shared.software.designs import DesignerInput, DesignerOutput
from shared.software.source import SourceTree

if TYPE_CHECKING:
    from shared.neurons.body import Work
    from shared.neurons.results import Result


def design(work: Work[DesignerInput]) -> Result[DesignerOutput]:
    """Design the tables and have them written; software that keeps nothing needs none."""
    from functions.neuron.synthesis.database import (
        design_database,  # only the layer that designs needs it, at its first step
    )
    from functions.neuron.synthesis.interface import design_api

    specification = work.input.specification
    database = design_database(specification)
    if not specification.entities:
        return Complete(DesignerOutput(tree=SourceTree(files=()), database=database))
    if work.phase == 0:
        face = design_api(specification)  # which questions the tables must answer depends on what is offered
        return implementers(work.input, ("storage",), Design(api=face, database=database))
    return Complete(DesignerOutput(tree=joined(work), database=database))


DATABASE_DESIGNER: Final = Body(
    name="database-designer",
    layer="l3",
    input=DesignerInput,
    output=DesignerOutput,
    summary="Designs the tables with their constraints, and joins the code that keeps data in them.",
    work=design,
    memo=Design,
)
