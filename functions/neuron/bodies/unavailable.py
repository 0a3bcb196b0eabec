"""Implementers whose contract stands and whose engine does not exist yet: a step that needs one fails and says so."""

from __future__ import annotations

from shared.neurons.body import Body
from shared.software.designs import ImplementerInput, ImplementerOutput
from shared.software.languages import AVAILABLE_LANGUAGES


def unavailable_implementer(name: str, writes: str) -> Body[ImplementerInput, ImplementerOutput]:
    """Describe an implementer that cannot be used yet.

    Args:
        name: The body's name.
        writes: The language or framework that it will write, in words.
    """
    return Body(
        name=name,
        layer="l2",
        input=ImplementerInput,
        output=ImplementerOutput,
        summary=f"Writes one share of a project in {writes} (not available yet).",
        unavailable=f"{writes} is not available yet; available: {', '.join(AVAILABLE_LANGUAGES)}.",
    )
