"""Reads life cycles: which states a thing goes through, what moves it, and what may move it from where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading.states import archives, beginnings, moves, paths
from functions.neuron.reading.states.machines import complete
from functions.neuron.reading.states.moves import held_back
from functions.neuron.reading.states.presumed import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.neuron.reading.draft import Draft
    from functions.neuron.reading.rules import Reading

READERS: Final[tuple[Callable[[Reading, Draft], bool], ...]] = (
    paths.arrows,
    paths.ending,
    paths.until_done,
    beginnings.done_or_not,
    paths.path,
    beginnings.listed,
    beginnings.initial,
    archives.archived,
    moves.moved,
)

__all__ = ["READERS", "complete", "counted", "held_back"]
