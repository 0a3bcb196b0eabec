"""Reads rules that stand in idioms, in other words than those of `rules`: nobody, two at once, neither, accept no more.

Tried before the readers of `rules`, which would take these for something simpler. Promises: a rule only where every
part that it needs was found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading.idioms import (
    anyone,
    differences,
    exceptions,
    intervals,
    lists,
    refusals,
    repetitions,
)
from functions.neuron.reading.idioms.repetitions import same_moment

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.neuron.reading.draft import Draft
    from functions.neuron.reading.rules import Reading

READERS: Final[tuple[Callable[[Reading, Draft], bool], ...]] = (
    anyone.nobody_twice,
    refusals.only_on,
    anyone.of_anyone,
    intervals.apart,
    repetitions.not_again,
    refusals.too_late,
    lists.several_lists,
    exceptions.unless_given,
    exceptions.not_counted,
    anyone.nobody_for,
    refusals.for_state,
    repetitions.same_twice,
    repetitions.once_together,
    repetitions.once_each,
    differences.differing,
    repetitions.neither,
    refusals.either,
    refusals.of_states,
    refusals.accepting,
    repetitions.same_day,
    repetitions.once_in,
    repetitions.also_at_most,
)

__all__ = ["READERS", "same_moment"]
