"""What the templates write of an entity: methods of its table, functions and methods of its service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.software.specification import FieldSpec


@dataclass(frozen=True)
class Question:
    """A method of a table: what a rule or a view asks of it."""

    name: str
    parameters: tuple[str, ...]
    returns: str
    doc: str
    body: tuple[str, ...]


@dataclass(frozen=True)
class Check:
    """A function of a service that checks one rule, and how it is called."""

    name: str
    parameters: tuple[str, ...]
    arguments: tuple[str, ...]
    doc: str
    body: tuple[str, ...]
    condition: str = ""
    changed: str = ""  # where it is too long to stand in the condition

    @property
    def call(self) -> str:
        """Write the call."""
        return f"{self.name}({', '.join(self.arguments)})"


@dataclass(frozen=True)
class Guard:
    """A function of a service that refuses an action, and the parents whose records it takes."""

    check: Check
    references: tuple[FieldSpec, ...] = ()
    clock: bool = False


@dataclass(frozen=True)
class Move:
    """A transition, as a method of a service."""

    method: str
    doc: str
    guards: tuple[str, ...]
    values: tuple[str, ...]
    effects: tuple[str, ...] = ()


@dataclass(frozen=True)
class ViewMethod:
    """A view, as a method of a service."""

    method: str
    doc: str
    query: tuple[str, ...]
    call: str
    uses_now: bool
