"""What a benchmark is, and under which conditions it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.performance.peers import Peers
    from tests.performance.results import Figure


@dataclass(frozen=True, slots=True)
class Conditions:
    """How to measure.

    Attributes:
        peers: The peers' own environment, installed at its first use.
        say: Takes a line of progress.
        quick: Fewer rounds: shows that everything runs, gives no figures to rely on.
    """

    peers: Peers
    say: Callable[[str], None]
    quick: bool = False

    def rounds(self, full: int, quick: int = 1) -> int:
        """How often to do something."""
        return quick if self.quick else full


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One benchmark.

    Attributes:
        name: What `--only` takes, and the JSON file's name.
        title: What it is about, in a sentence.
        measure: Measures.
    """

    name: str
    title: str
    measure: Callable[[Conditions], Sequence[Figure]]
