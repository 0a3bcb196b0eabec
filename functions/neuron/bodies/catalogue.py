"""The catalogue of processes: every kind of run that this release knows, as `module:ATTRIBUTE`.

A new kind of run is one line here and a module of its own, or `HAL9_NEURON_PROCESSES` for a customer's own. Nothing
else changes.
"""

from __future__ import annotations

from typing import Final

from shared.neurons import Registry

PROCESSES: Final[tuple[str, ...]] = ("functions.neuron.bodies.software:SOFTWARE",)


def registry(further: str = "") -> Registry:
    """Import the processes of the catalogue, and further ones.

    Args:
        further: Comma-separated `module:ATTRIBUTE`.

    Raises:
        ValueError: A path names no process, or two processes have one name.
    """
    return Registry.imported([*PROCESSES, *further.split(",")])
