"""What is archived instead of being deleted: a state that it can be brought back from, and nothing that deletes it."""

from __future__ import annotations

import pytest

from functions.neuron.reading import read
from shared.software.specification import OperationKind, Specification

PUT_AWAY = (
    "Products are never deleted but archived.",
    "Products can be archived instead of being deleted.",
    "Products can be moved to the archive rather than deleted.",
)


def operations(specification: Specification) -> set[OperationKind | None]:
    offered: set[OperationKind | None] = {part.operation for part in specification.endpoints}
    if specification.command_line is not None:
        offered |= {part.operation for part in specification.command_line.commands}
    return offered


@pytest.mark.parametrize("kind", ["An API", "A command line tool"])
@pytest.mark.parametrize("sentence", PUT_AWAY)
def test_what_is_archived_instead_is_not_deleted_and_comes_back(kind: str, sentence: str) -> None:
    made = read(f"{kind} for products. A product has a name. {sentence} An archived product can be restored.")
    machine = made.entities[0].machine
    assert machine is not None
    moves = {move.name: (move.sources, move.target) for move in machine.transitions}
    assert moves == {"archive": (("active",), "archived"), "restore": (("archived",), "active")}
    assert OperationKind.DELETE not in operations(made)
    assert OperationKind.UPDATE in operations(made)
    assert all(clause.status.value == "done" for clause in made.clauses)


def test_what_may_be_archived_as_well_can_still_be_deleted() -> None:
    made = read("An API for products. A product has a name. Products can be archived.")
    machine = made.entities[0].machine
    assert machine is not None
    assert [move.name for move in machine.transitions] == ["archive"]
    assert OperationKind.DELETE in operations(made)
