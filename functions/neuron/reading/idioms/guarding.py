"""The guard that several idioms stand for: nothing is made unless something holds; and the figures that they share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.neuron.reading import rules

if TYPE_CHECKING:
    from functions.neuron.reading.draft import Draft, DraftEntity
    from functions.neuron.reading.rules import Reading
    from shared.software.specification import Condition

WHO: Final = ("email", "name", "phone")
SHORT: Final = 6
PAIR: Final = 2


def guard(r: Reading, draft: Draft, entity: DraftEntity, requires: tuple[Condition, ...]) -> bool:
    """Let something be made only where the conditions hold."""
    return draft.mark(rules.guarded(r, draft, entity, "create", requires))
