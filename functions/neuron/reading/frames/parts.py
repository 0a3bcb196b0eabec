"""The parts of a clause: its verb with helpers, its subject, complement and conditions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from functions.neuron.reading.tokens import Token


@dataclass(frozen=True)
class VerbGroup:
    """The verb of a clause with its helpers. `start` and `end` are token positions."""

    start: int
    end: int
    verbs: tuple[str, ...]
    form: str = ""  # the (first) main verb as it stands
    modal: str | None = None
    negated: bool = False
    only: bool = False
    passive: bool = False

    @property
    def verb(self) -> str:
        """The first verb's base form."""
        return self.verbs[0]


@dataclass(frozen=True)
class Frame:
    """A clause taken apart. An imperative has no subject."""

    subject: tuple[Token, ...]
    group: VerbGroup
    rest: tuple[Token, ...]
    conditions: tuple[tuple[str, tuple[Token, ...]], ...] = field(default=())

    @property
    def verb(self) -> str:
        """The main verb's base form."""
        return self.group.verb

    @property
    def modal(self) -> str | None:
        """can, must, may … or None."""
        return self.group.modal

    @property
    def negated(self) -> bool:
        """Whether the clause forbids or denies."""
        return self.group.negated or bool(self.subject and self.subject[0].low in {"no", "neither", "nobody", "none"})

    @property
    def only(self) -> bool:
        """Whether the clause restricts its subject or verb by "only"."""
        return self.group.only or bool(self.subject and self.subject[0].low == "only")
