"""Reads what must hold: limits, uniqueness, order, overlap, guards, sums. Second of the two readings.

The entities are known. Each reader takes a clause's frame and says whether it understood it. They stand in `READERS`,
the more specific ones first; each module reads one kind of rule.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import figures
from functions.neuron.reading.draft import Draft
from functions.neuron.reading.rules import (
    aggregates,
    capacities,
    comparisons,
    deletions,
    field_rules,
    guards,
    holders,
    moments,
    overlaps,
    parts,
    quotas,
    readings,
    uniqueness,
)
from functions.neuron.reading.rules.capacities import implied_capacities
from functions.neuron.reading.rules.comparisons import (
    compared,
    stated_comparisons,
    stated_differences,
    stated_presents,
)
from functions.neuron.reading.rules.field_rules import field_says
from functions.neuron.reading.rules.guards import ENTERING, actions, adjectives
from functions.neuron.reading.rules.moments import ordered
from functions.neuron.reading.rules.overlaps import one_current, overlap
from functions.neuron.reading.rules.parts import implied_parts
from functions.neuron.reading.rules.quotas import period_field, period_of, quota
from functions.neuron.reading.rules.readings import Reading, guarded, reading_of, sentence
from functions.neuron.reading.rules.uniqueness import add_unique, stated_uniqueness, unique

if TYPE_CHECKING:
    from collections.abc import Callable

READERS: Final[tuple[Callable[[readings.Reading, Draft], bool], ...]] = (
    aggregates.aggregate,
    figures.computed,
    figures.asked,
    overlaps.overlap,
    overlaps.one_at_once,
    deletions.referenced,
    uniqueness.unique,
    moments.due,
    comparisons.compared,
    comparisons.dated,
    moments.ordered,
    capacities.capacity,
    holders.blocked,
    field_rules.of_age,
    quotas.quota,
    field_rules.field_says,
    guards.not_for_past,
    guards.refusal,
    parts.guard_by_parts,
    guards.guard,
)

__all__ = [
    "ENTERING",
    "READERS",
    "Reading",
    "actions",
    "add_unique",
    "adjectives",
    "compared",
    "field_says",
    "guarded",
    "implied_capacities",
    "implied_parts",
    "one_current",
    "ordered",
    "overlap",
    "period_field",
    "period_of",
    "quota",
    "reading_of",
    "sentence",
    "stated_comparisons",
    "stated_differences",
    "stated_presents",
    "stated_uniqueness",
    "unique",
]
