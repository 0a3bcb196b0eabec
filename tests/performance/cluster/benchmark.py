"""What a benchmark of a cluster is given."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.performance.cluster.stage import Stage
    from tests.performance.results import Figure


@dataclass
class Bench:
    """How to measure, and what was measured before.

    Attributes:
        stage: The namespace.
        say: Takes a line of progress.
        out: The folder for files.
        quick: Fewer rounds: shows that everything runs, gives no figures to rely on.
        notes: What later benchmarks need of earlier ones, by name.
    """

    stage: Stage
    say: Callable[[str], None]
    out: Path
    quick: bool = False
    notes: dict[str, Any] = field(default_factory=dict)

    def rounds(self, full: int, quick: int) -> int:
        """How often to do something."""
        return quick if self.quick else full


@dataclass(frozen=True, slots=True)
class ClusterBenchmark:
    """One benchmark: what `--only` takes, its title, and what measures."""

    name: str
    title: str
    measure: Callable[[Bench], Sequence[Figure]]
