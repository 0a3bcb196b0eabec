"""What a benchmark found: figures with their goals, as a table and as JSON.

    Figure("decode, against the SDK", 12.3, "x", AtLeast(10))

Promises: every figure is finite, and its goal is judged by the value that is shown; documents hold no host name and no
path. Does not: measure.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

FORMAT: Final = 1
"""Version of the JSON documents."""


@dataclass(frozen=True, slots=True)
class AtMost:
    """A goal: the value is not above this."""

    value: float

    def met_by(self, value: float) -> bool:
        """Whether a value reaches the goal."""
        return value <= self.value

    def __str__(self) -> str:
        return f"<= {shown(self.value)}"


@dataclass(frozen=True, slots=True)
class AtLeast:
    """A goal: the value is not below this."""

    value: float

    def met_by(self, value: float) -> bool:
        """Whether a value reaches the goal."""
        return value >= self.value

    def __str__(self) -> str:
        return f">= {shown(self.value)}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value.

    Attributes:
        name: What was measured.
        value: How much.
        unit: Of the value; `x` is a ratio.
        goal: What it should be, None where nothing is promised.

    Raises:
        ValueError: The value is no finite number.
    """

    name: str
    value: float
    unit: str
    goal: AtMost | AtLeast | None = None

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise ValueError(f"{self.name} is {self.value}")

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None without one."""
        return None if self.goal is None else self.goal.met_by(float(shown(self.value)))

    def document(self) -> dict[str, Any]:
        """Give it as JSON."""
        goal = None if self.goal is None else {_KIND[type(self.goal)]: self.goal.value}
        return {"name": self.name, "value": float(shown(self.value)), "unit": self.unit, "goal": goal, "met": self.met}


_KIND: Final[dict[type[AtMost | AtLeast], str]] = {AtMost: "at_most", AtLeast: "at_least"}


@dataclass(frozen=True, slots=True)
class Result:
    """What one benchmark found.

    Attributes:
        benchmark: Its name.
        title: What it is about, in a sentence.
        figures: What it found; empty when it failed.
        seconds: How long it took.
        error: Why it failed, None when it ran to its end.
    """

    benchmark: str
    title: str
    figures: Sequence[Figure]
    seconds: float
    error: str | None = None

    def document(self) -> dict[str, Any]:
        """Give it as JSON."""
        return {
            "format": FORMAT,
            "benchmark": self.benchmark,
            "title": self.title,
            "seconds": round(self.seconds, 1),
            "error": self.error,
            "figures": [figure.document() for figure in self.figures],
        }


def summary(
    results: Sequence[Result], machine: dict[str, Any], versions: dict[str, str], *, quick: bool
) -> dict[str, Any]:
    """Give one document of everything.

    Args:
        results: What the benchmarks found.
        machine: Facts about the machine.
        versions: Of the peers, by package.
        quick: Whether fewer rounds were run than a record should rest on.
    """
    judged = [(result, figure) for result in results for figure in result.figures if figure.met is not None]
    missed = [f"{result.benchmark}: {figure.name}" for result, figure in judged if not figure.met]
    return {
        "format": FORMAT,
        "quick": quick,
        "machine": machine,
        "peers": versions,
        "goals": {"met": len(judged) - len(missed), "missed": missed},
        "failed": [result.benchmark for result in results if result.error is not None],
        "benchmarks": [result.document() for result in results],
    }


def write(folder: Path, results: Iterable[Result], summarised: dict[str, Any], name: str = "summary.json") -> None:
    """Write one file for each benchmark, and the summary."""
    folder.mkdir(parents=True, exist_ok=True)
    for result in results:
        _write(folder / f"{result.benchmark}.json", result.document())
    _write(folder / name, summarised)


def _write(path: Path, document: dict[str, Any]) -> None:
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def shown(value: float) -> str:
    """A number with three significant digits, or all of its whole ones."""
    if value == 0 or abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.{2 - math.floor(math.log10(abs(value)))}f}"


def table(results: Iterable[Result]) -> str:
    """Give results as text: a block for each benchmark, a line for each figure."""
    lines: list[str] = []
    for result in results:
        lines += ["", f"{result.benchmark}: {result.title} ({result.seconds:.0f} s)"]
        if result.error is not None:
            lines.append(f"  failed: {result.error}")
        width = max((len(figure.name) for figure in result.figures), default=0)
        lines += [f"  {_line(figure, width)}".rstrip() for figure in result.figures]
    return "\n".join(lines[1:])


def _line(figure: Figure, width: int) -> str:
    verdict = {True: "met", False: "MISSED", None: ""}[figure.met]
    goal = "" if figure.goal is None else str(figure.goal)
    return f"{figure.name:<{width}}  {shown(figure.value):>8} {figure.unit:<5} {goal:<10} {verdict}"
