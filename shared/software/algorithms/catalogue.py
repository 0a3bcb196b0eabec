"""Every algorithm by its name, from the modules that hold them by subject."""

from __future__ import annotations

from typing import Final

from shared.software.algorithms import (
    codes,
    dates,
    figures,
    judgements,
    notations,
    rounding,
    sorting,
    texts,
    whole_numbers,
)
from shared.software.algorithms.contract import Algorithm

_MODULES: Final = (texts, codes, judgements, notations, whole_numbers, figures, sorting, rounding, dates)

CATALOGUE: Final[dict[str, Algorithm]] = {
    algorithm.name: algorithm for module in _MODULES for algorithm in module.ALGORITHMS
}
"""Every algorithm, by name."""
