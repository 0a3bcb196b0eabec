"""The processor: CPU time of calls in this process and of other processes, and keeping to one of its cores.

The scheduler's account is what a shared machine leaves trustworthy; wall time is not. Only the standard library: the
peers' programs import this too.
"""

from __future__ import annotations

import contextlib
import os
import time
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_LEAST_SECONDS: Final = 0.05


def per_call(call: Callable[[], object], rounds: int) -> float:
    """CPU nanoseconds of one call, the best of several rounds."""
    calls, spent = 1, 0.0
    while spent < _LEAST_SECONDS * 1e9:
        calls = calls * 2 if spent < 1e6 else max(calls + 1, int(calls * _LEAST_SECONDS * 1.2e9 / spent))
        spent = _spent(call, calls)
    return min(_spent(call, calls) for _ in range(rounds)) / calls


def _spent(call: Callable[[], object], calls: int) -> float:
    begun = time.process_time_ns()
    for _ in repeat(None, calls):
        call()
    return time.process_time_ns() - begun


def of_tree(pid: int) -> float:
    """CPU seconds that a process and all below it have had, to the nanosecond; threads that ended are missing."""
    total, waiting = 0, [pid]
    while waiting:
        for task in Path(f"/proc/{waiting.pop()}/task").iterdir():
            with contextlib.suppress(OSError):
                total += int((task / "schedstat").read_text().split()[0])
                waiting += [int(child) for child in (task / "children").read_text().split()]
    return total / 1e9


def of_processes_and_ended(pids: Iterable[int]) -> float:
    """CPU seconds of processes and of their children that ended, in hundredths (proc_pid_stat(5), fields 14 to 17)."""
    ticks = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(int(field) for field in fields[11:15])
    return ticks / _TICKS


@contextlib.contextmanager
def one_processor() -> Iterator[None]:
    """Keep this process, and all that it starts meanwhile, on one processor."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def below(pid: int) -> set[int]:
    """A process and all that it started, directly or not, and that still run."""
    found, waiting = {pid}, [pid]
    while waiting:
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{waiting.pop()}/task").iterdir():
                children = [int(child) for child in (task / "children").read_text().split()]
                found.update(children)
                waiting += children
    return found
