"""What an algorithm of the catalogue promises: what it takes, gives and refuses, and known results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.software.specification import Example, FieldType, Parameter


@dataclass(frozen=True, slots=True)
class Algorithm:
    """An algorithm's contract.

    Attributes:
        name: What `Computation.algorithm` says.
        summary: One line, in the imperative.
        parameters: In order.
        returns: The type of the result.
        items: The type of its items when it is a list.
        examples: Known results and refusals.
    """

    name: str
    summary: str
    parameters: tuple[Parameter, ...]
    returns: FieldType
    items: FieldType | None = None
    examples: tuple[Example, ...] = ()
