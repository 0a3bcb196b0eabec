"""What the designers have in common: they spawn implementers with their design, and join what those wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from shared.neurons.results import Child, Spawn
from shared.software.designs import (
    ApiDesign,
    DatabaseDesign,
    DesignerInput,
    ImplementerInput,
    ImplementerOutput,
    TestDesign,
)
from shared.software.source import SourceTree

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared.neurons.body import Work
    from shared.software.designs import Share


class Design(BaseModel):
    """What a designer has decided."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")

    api: ApiDesign | None = None
    database: DatabaseDesign | None = None
    tests: TestDesign | None = None


def implementers(task: DesignerInput, shares: Iterable[Share], design: Design) -> Spawn:
    """Set an implementer of the task's language to work on each share."""
    body = f"{task.language}-implementer"
    inputs = {
        share: ImplementerInput(
            specification=task.specification,
            share=share,
            api=design.api,
            database=design.database,
            tests=design.tests,
        )
        for share in shares
    }
    return Spawn([Child(key=share, body=body, input=given) for share, given in inputs.items()], memo=design)


def joined(work: Work[DesignerInput]) -> SourceTree:
    """Put together what the implementers wrote; every file names the step that wrote it."""
    trees = [
        SourceTree(files=tuple(file.model_copy(update={"step": child.path}) for file in child.output.tree.files))
        for child in work.children.values()
        if isinstance(child.output, ImplementerOutput)
    ]
    return SourceTree.join(trees)
