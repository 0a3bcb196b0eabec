"""How long a process took from its first instruction to its first ready answer, by phase.

    starting = Starting()
    …
    starting.ended("imports")

Promises: phases follow one another without a gap, so that their sum is the whole start; the log says them once, when
the function is ready for the first time; the metric `hal9_host_start_seconds` keeps them. The first phase, the
interpreter's, is known to a hundredth of a second, as the kernel notes when a process began; it is left out where the
kernel does not say.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import Final

from shared.telemetry import gauge, logger

INTERPRETER: Final = "interpreter"
"""From the process's beginning to our first line."""

IMPORTS: Final = "imports"
"""function.toml, settings, and the function's modules."""

OPEN: Final = "open"
"""The function's resources; connects to nothing."""

POOLS: Final = "pools"
"""From listening to the first ready answer: connections to the shards, the broker's keys, and the wait for a probe."""

_BEGAN_FIELD: Final = 19
"""Field 22 of proc_pid_stat(5), counted from behind the program's name."""

_log = logger(__name__)
_SECONDS = gauge("hal9_host_start_seconds", "Seconds that the start of this process took, by phase.", ("phase",))


class Starting:
    """Notes when phases end. Begins with the process itself."""

    def __init__(self) -> None:
        self._last = time.monotonic()
        self._phases: dict[str, float] = {}
        age = _age()
        if age is not None:
            self._phases[INTERPRETER] = age
        self._done = False

    @property
    def phases(self) -> dict[str, float]:
        """Seconds, in the order of the phases that have ended."""
        return dict(self._phases)

    def ended(self, phase: str) -> None:
        """Say that a phase ends now, and the next one begins."""
        now = time.monotonic()
        self._phases[phase] = now - self._last
        self._last = now

    def ready(self) -> None:
        """Say that the function is ready: the first time ends the last phase."""
        if self._done:
            return
        self._done = True
        self.ended(POOLS)
        for phase, seconds in self._phases.items():
            _SECONDS.set(seconds, phase)
        shown = {phase: round(seconds, 4) for phase, seconds in self._phases.items()}
        _log.info("ready", seconds=round(sum(self._phases.values()), 4), **shown)


def _age() -> float | None:
    """Seconds since the kernel made this process."""
    with contextlib.suppress(OSError, ValueError, IndexError, AttributeError):
        fields = Path("/proc/self/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        began = int(fields[_BEGAN_FIELD]) / os.sysconf("SC_CLK_TCK")
        return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - began)
    return None
