"""The Python implementer: writes each share of a project from the specification and the share's design."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.neuron.synthesis.python.shares import domain, interface, storage, surroundings, tests
from functions.neuron.synthesis.python.shares.project import Project
from shared.software.designs import ImplementerOutput
from shared.software.source import SourceTree

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.software.designs import ImplementerInput


def implement(task: ImplementerInput) -> ImplementerOutput:
    """Write one share of a project."""
    writers: dict[str, Callable[[Project], None]] = {
        "domain": domain.write,
        "interface": interface.write,
        "storage": storage.write,
        "project": surroundings.write,
        "tests": tests.write,
    }
    project = Project(task)
    writers[task.share](project)
    files = sorted(project.renderer.files, key=lambda file: file.path)
    return ImplementerOutput(share=task.share, tree=SourceTree(files=tuple(files)))
