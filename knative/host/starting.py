"""How long a process took from its first instruction to its first ready answer, by phase.

    starting = Starting()
    …
    starting.ended(IMPORTS)

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
"""The host, function.toml, settings, and the function's modules."""

OPEN: Final = "open"
"""The function's resources; connects to nothing."""

UNASKED: Final = "unasked"
"""From listening to the first probe: in a cluster, until the queue-proxy runs. Pools are warmed meanwhile."""

POOLS: Final = "pools"
"""From the first probe to the first ready answer: what is left of connecting to the shards and fetching keys."""

_BEGAN_FIELD: Final = 19
"""Field 22 of proc_pid_stat(5), counted from behind the program's name."""

_log = logger(__name__)
_SECONDS = gauge("hal9_host_start_seconds", "Seconds that the start of this process took, by phase.", ("phase",))


class Starting:
    """Notes when phases end. Begins with the process itself.

    Args:
        begun: when the program's first line ran, by the monotonic clock; now, when left out.
    """

    def __init__(self, begun: float | None = None) -> None:
        now = time.monotonic()
        self._last = now if begun is None else begun
        self._phases: dict[str, float] = {}
        age = _age()
        if age is not None:
            self._phases[INTERPRETER] = max(0.0, age - (now - self._last))

    def ended(self, phase: str) -> None:
        """Say that a phase ends now, and the next one begins."""
        now = time.monotonic()
        self._phases[phase] = now - self._last
        self._last = now

    def asked(self) -> None:
        """Say that somebody asks whether the function is ready: counts the first time."""
        if UNASKED not in self._phases:
            self.ended(UNASKED)

    def ready(self) -> None:
        """Say that the function is ready: counts the first time."""
        if POOLS in self._phases:
            return
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
