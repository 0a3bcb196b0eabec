"""The Go implementer (L2). Its contract is real; its engine is not available yet and says so."""

from __future__ import annotations

from typing import Final

from functions.neuron.bodies.unavailable import unavailable_implementer

GO_IMPLEMENTER: Final = unavailable_implementer("go-implementer", "Go")
