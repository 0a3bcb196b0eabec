"""Process descriptions: a kind of run, as data.

A new kind of run is a `Process` and its bodies in a module of their own, named in
`functions/neuron/bodies/catalogue.py`, or in `HAL9_NEURON_PROCESSES` (comma-separated `module:ATTRIBUTE`) for a
customer's own. The runtime does not change.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared.neurons.body import Body


class Process(msgspec.Struct, frozen=True):
    """A kind of run.

    Attributes:
        name: What `POST /v1/runs` names, for example `software`.
        summary: One sentence for the catalogue.
        root: The name of the body that the run starts with; the run's input and output are its contract's.
        bodies: Every body that a step of the run may name.
        exhausted: What happens when a step sends a backward signal and the caps on revisions are reached. `fail`: that
            step fails. `settle`: it completes with the signal's own output, and its parent decides (`child.exhausted`).
        revisions_per_step: Default cap of a run.
        revisions_per_run: Default cap of a run.
        cost_microdollars: Default cap of a run.
        deadline_seconds: Default deadline of a run.
    """

    name: str
    summary: str
    root: str
    bodies: tuple[Body[Any, Any], ...]
    exhausted: Literal["fail", "settle"] = "fail"
    revisions_per_step: int = 3
    revisions_per_run: int = 10
    cost_microdollars: int = 1_000_000
    deadline_seconds: float = 3600.0

    def __post_init__(self) -> None:
        names = [body.name for body in self.bodies]
        if len(set(names)) != len(names):
            raise ValueError(f"the process {self.name!r} names a body twice")
        if self.root not in names:
            raise ValueError(
                f"the root {self.root!r} of the process {self.name!r} is not among its bodies: {', '.join(names)}"
            )

    def body(self, name: str) -> Body[Any, Any]:
        """Give the body of that name.

        Raises:
            KeyError: There is none.
        """
        for body in self.bodies:
            if body.name == name:
                return body
        raise KeyError(name)


class Registry:
    """The processes that a deployment can run, by name."""

    def __init__(self, processes: Iterable[Process]) -> None:
        self._processes: dict[str, Process] = {}
        for process in processes:
            if self._processes.setdefault(process.name, process) is not process:
                raise ValueError(f"two processes are named {process.name!r}")

    @classmethod
    def imported(cls, paths: Iterable[str]) -> Registry:
        """Import processes from `module:ATTRIBUTE` paths.

        Raises:
            ValueError: A path does not name a `Process`; the text says which.
        """
        return cls(_imported(path.strip()) for path in paths if path.strip())

    def get(self, name: str) -> Process | None:
        """Give the process of that name, or None."""
        return self._processes.get(name)

    def names(self) -> list[str]:
        """Name every process, sorted."""
        return sorted(self._processes)


def _imported(path: str) -> Process:
    module, _, attribute = path.partition(":")
    try:
        process = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"{path!r} names no process: {error}") from error
    if not isinstance(process, Process):
        raise ValueError(f"{path!r} is a {type(process).__name__}, not a Process")  # noqa: TRY004 - a fault of configuration, as the others here
    return process
