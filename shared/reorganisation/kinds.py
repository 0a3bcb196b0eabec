"""What changes hands: things of one kind each."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID


class Thing(NamedTuple):
    """Something that an organisation owns.

    Attributes:
        id: Its id.
        size: What it stores, in bytes.
        running: Something still works on it: it cannot go yet.
        taken: The other organisation has something of the same id: it can never go.
    """

    id: UUID
    size: int
    running: bool
    taken: bool


class Kind(Protocol):
    """One kind of things. Every method raises what `Shards.transaction` does."""

    @property
    def name(self) -> str:
        """What they are called, in the plural."""
        ...

    async def things(self, giver: UUID, taker: UUID | None) -> Sequence[Thing]:
        """Give what an organisation has; `taken` is asked of the taker, if there is one."""
        ...

    async def give(self, giver: UUID, taker: UUID, thing: UUID) -> bool:
        """Let a thing change hands, or finish that; whether it is the taker's now.

        It is not when the giver had it no more, or something works on it again.

        Raises:
            Problem: 402 `quota-exceeded`, 409 `conflict`: it stays where it is.
        """
        ...

    async def tidy(self, giver: UUID, taker: UUID) -> None:
        """Take away what is left with the giver of things that have changed hands."""
        ...
