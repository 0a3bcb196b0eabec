"""A process for tests of scale: a tree over the three layers whose every step waits, and does nothing else.

A run holds one request at neuron-l4, then as many as it has clerks at neuron-l3, then as many as they have counters at
neuron-l2, each for `seconds`; so runs make as much concurrency as is wanted, and leave the processors free.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from shared.neurons import L2, L3, L4, Body, Child, Complete, Process, Result, Spawn, Work

if TYPE_CHECKING:
    from collections.abc import Sequence


class Patience(BaseModel):
    """How long each step waits, and how many there are below it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seconds: float
    clerks: int = 0
    counters: int = 0


class Waited(BaseModel):
    """How many steps have waited, this one and those below it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: int


def chief(work: Work[Patience]) -> Result[Waited]:
    """Wait, then have the clerks wait."""
    return _waited(work, "clerk", work.input.clerks)


def clerk(work: Work[Patience]) -> Result[Waited]:
    """Wait, then have the counters wait."""
    return _waited(work, "counter", work.input.counters)


def counter(work: Work[Patience]) -> Result[Waited]:
    """Wait."""
    return _waited(work, "", 0)


def _waited(work: Work[Patience], below: str, count: int) -> Result[Waited]:
    if work.phase == 0:
        time.sleep(work.input.seconds)
        if count:
            return Spawn([Child(f"{below}{number}", below, work.input) for number in range(count)])
    return Complete(Waited(steps=1 + sum(_steps([child.output for child in work.children.values()]))))


def _steps(outputs: Sequence[object]) -> list[int]:
    return [output.steps for output in outputs if isinstance(output, Waited)]


PATIENCE = Process(
    "patience",
    "Waits.",
    "chief",
    (
        Body("chief", L4, Patience, Waited, "Waits for clerks.", work=chief),
        Body("clerk", L3, Patience, Waited, "Waits for counters.", work=clerk),
        Body("counter", L2, Patience, Waited, "Waits.", work=counter),
    ),
)
