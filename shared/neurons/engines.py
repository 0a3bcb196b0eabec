"""Which engine answers the questions of a layer."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from shared.neurons.engine import Builtin
from shared.settings import load

if TYPE_CHECKING:
    from shared.neurons.engine import Engine


@cache
def engine_for(layer: str) -> Engine:
    """Give the engine that is configured for a layer (`HAL9_MODEL_<LAYER>`); the built-in when none is.

    Raises:
        SettingsError: A setting is wrong.
        ValueError: The setting names no provider, or its key is missing.
    """
    from shared.neurons.models.settings import ModelSettings, model_engine

    return model_engine(load(ModelSettings), layer) or Builtin()
