"""The Rust implementer (L2). Its contract is real; its engine is not available yet and says so."""

from __future__ import annotations

from typing import Final

from functions.neuron.bodies.unavailable import unavailable_implementer

RUST_IMPLEMENTER: Final = unavailable_implementer("rust-implementer", "Rust")
