"""The frontend designer (L3): pages of a web front end.

Its contract is real; no specialist can write the pages yet, so it fails with the sentence that says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from shared.neurons.body import Body
from shared.neurons.results import Fail
from shared.software.designs import FRAMEWORKS, DesignerInput, DesignerOutput

if TYPE_CHECKING:
    from shared.neurons.body import Work
    from shared.neurons.results import Result


def design(work: Work[DesignerInput]) -> Result[DesignerOutput]:
    """Refuse: neither React nor Vue is available yet."""
    del work
    return Fail(
        f"Web pages are not available yet: HAL9 does not write {' or '.join(FRAMEWORKS)} so far.",
        code="frontend-unavailable",
    )


FRONTEND_DESIGNER: Final = Body(
    name="frontend-designer",
    layer="l3",
    input=DesignerInput,
    output=DesignerOutput,
    summary="Designs the pages of a web front end (not available yet).",
    work=design,
)
