"""The Vue specialist (L2). Its contract is real; its engine is not available yet and says so."""

from __future__ import annotations

from typing import Final

from functions.neuron.bodies.unavailable import unavailable_implementer

VUE_SPECIALIST: Final = unavailable_implementer("vue-specialist", "Vue")
