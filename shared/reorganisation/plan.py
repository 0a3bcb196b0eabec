"""What a split or a merge would do, and what stands in its way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from shared.reorganisation.kinds import Thing


@dataclass(frozen=True, slots=True)
class Plan:
    """A split or a merge before it is done; after it, what was done.

    Attributes:
        giver: Whose things go.
        taker: To whom.
        things: What goes, by kind.
        gone: What had gone already, by kind: of a command that was cut off.
        stays: What does not go, by what it is called: how many.
        conflicts: What stands in the way, each a sentence without its end.
        left: Afterwards: things that could not go, each with why.
    """

    giver: UUID
    taker: UUID
    things: Mapping[str, Sequence[Thing]] = field(default_factory=dict)
    gone: Mapping[str, Sequence[UUID]] = field(default_factory=dict)
    stays: Mapping[str, int] = field(default_factory=dict)
    conflicts: Sequence[str] = ()
    left: Sequence[str] = ()

    @property
    def size(self) -> int:
        """Bytes that go."""
        return sum(thing.size for things in self.things.values() for thing in things)
