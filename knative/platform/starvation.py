"""Whether a server that is silent lacks only a processor: seen from outside, it looks like one that hangs.

The kernel tells them apart. It counts for how long a process could have run and had no processor
(`/proc/PID/schedstat`, the second number, nanoseconds; kernel documentation, scheduler/sched-stats), brought up to date
when the process runs again; one that waits at this moment is in state R (proc_pid_stat(5)). What is stopped, has ended,
or waits for a lock, a disk or an answer does neither.

Promises: only those count who have to run for an answer: the server's first process, what it started since it was
heard, and this process, which asks. Does not: tell one that waits at this moment from one that runs; or see anything
where the kernel counts no waits (CONFIG_SCHED_INFO): nobody is starved there.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from knative.platform import processes

_NANOSECONDS: Final = 1e9
_RUNNABLE: Final = "R"
_STOPPED: Final = frozenset("Tt")
_MOST: Final = 0.5
"""The part of a silence that must have been waiting."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A server as it was when it answered.

    Attributes:
        waited: For how many seconds its first process, and this one, had waited for a processor until then.
        children: What its first process had started.
    """

    waited: tuple[float, float] = (0.0, 0.0)
    children: frozenset[int] = frozenset()


class Processors:
    """What the kernel says of who waits for a processor.

    Args:
        proc: Where it says so.
    """

    def __init__(self, proc: Path = processes.PROC) -> None:
        self._proc = proc

    def heard(self, pid: int) -> Heard:
        """Note how a server stands that has just answered."""
        return Heard((self._waited(pid), self._waited(os.getpid())), frozenset(processes.children(pid, self._proc)))

    def starved(self, pid: int, since: Heard, seconds: float) -> bool:
        """Whether a server is silent because it, or this process, has no processor.

        Args:
            pid: Its first process.
            since: How it stood when it was heard last.
            seconds: How long ago that was.
        """
        if processes.state(pid, self._proc) in _STOPPED:
            return False
        server, asking = since.waited
        new = [child for child in processes.children(pid, self._proc) if child not in since.children]
        waits = [
            self._waited(pid) - server,
            self._waited(os.getpid()) - asking,
            *(self._waited(child) for child in new),
        ]
        waiting_now = any(processes.state(one, self._proc) == _RUNNABLE for one in (pid, *new))
        return waiting_now or max(waits) >= seconds * _MOST

    def _waited(self, pid: int) -> float:
        try:
            return int((self._proc / str(pid) / "schedstat").read_text(encoding="ascii").split()[1]) / _NANOSECONDS
        except (OSError, IndexError):
            return 0.0
