"""What the writer of every share is given: the views of the entities, and a renderer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.neuron.synthesis.database import design_database
from functions.neuron.synthesis.interface import design_api
from functions.neuron.synthesis.python import names
from functions.neuron.synthesis.python.entities import EntityView
from functions.neuron.synthesis.python.rendering import Renderer
from shared.software.specification import Kind

if TYPE_CHECKING:
    from shared.software.designs import ApiDesign, ImplementerInput
    from shared.software.specification import Specification


class Project:
    """What every share's writer needs: the views of the entities and a renderer."""

    def __init__(self, task: ImplementerInput) -> None:
        self.task = task
        self.specification: Specification = task.specification
        self.api: ApiDesign = task.api or design_api(task.specification)
        self.database = task.database or design_database(task.specification)
        self.package = names.package(task.specification)
        self.renderer = Renderer(self.package, task.share, names.renamed(task.specification))
        self.kind = task.specification.kind
        self.stdlib = self.kind is not Kind.API
        self.memory = self.kind is Kind.LIBRARY
        self.source = f"src/{self.package}"
        face = task.specification.command_line
        self.program = face.program if face else self.package.replace("_", "-")
        self.entities = [
            EntityView(task.specification, entity, self.api, memory=self.stdlib)
            for entity in task.specification.entities
        ]

    @property
    def refers(self) -> bool:
        """Say whether an input can refer to a record."""
        return any(
            view.references and (view.can.create or view.can.change or view.can.replace) for view in self.entities
        )

    def pointer(self, view: EntityView) -> tuple[str, ...]:
        """Give the pointers of an entity and of its rules."""
        rules = self.specification.rules
        own = f"/entities/{self.specification.entities.index(view.entity)}"
        return (own, *(f"/rules/{i}" for i, rule in enumerate(rules) if rule.entity == view.name))
