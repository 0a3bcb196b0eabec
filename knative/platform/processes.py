"""Processes that cannot outlive the supervisor, and are known again without mistaking another process for them.

Promises: the kernel ends a child when the supervisor ends, however it ends (PR_SET_PDEATHSIG; start children from the
main thread); a process is identified by its id *and* its start time, so that a reused id is never signalled; what a
child leaves behind comes to the supervisor (PR_SET_CHILD_SUBREAPER), which ends it. Linux only.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36
_libc: Final = ctypes.CDLL(None, use_errno=True)

PROC: Final = Path("/proc")
"""Where the kernel tells of processes."""

MARK: Final = "HAL9_PLATFORM"
"""The environment variable by which what a platform started is found again."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A process, beyond its id.

    Attributes:
        pid: Its id.
        started: When it started, in the kernel's clock ticks since the machine's start.
    """

    pid: int
    started: int

    @property
    def alive(self) -> bool:
        """Whether it still runs (a zombie does not)."""
        return started(self.pid) == self.started

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, or nothing when it has ended."""
        if self.alive:
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return

    def document(self) -> dict[str, int]:
        """Give it as JSON."""
        return {"pid": self.pid, "started": self.started}

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Identity:
        """Read what `document` wrote."""
        return cls(int(document["pid"]), int(document["started"]))

    @classmethod
    def of(cls, pid: int) -> Identity:
        """Identify a process that runs now."""
        return cls(pid, started(pid) or 0)


def _stat(pid: int, proc: Path = PROC) -> list[str]:
    """Give the fields of /proc/PID/stat from the third on; empty when there is no such process."""
    try:
        text = (proc / str(pid) / "stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()


def started(pid: int) -> int | None:
    """Give when a process started (proc_pid_stat(5), field 22); None when it does not run or is a zombie."""
    found = _stat(pid)
    return int(found[19]) if found and found[0] not in "ZX" else None


def state(pid: int, proc: Path = PROC) -> str:
    """Give a process's state, a letter (proc_pid_stat(5), field 3); empty when there is no such process."""
    found = _stat(pid, proc)
    return found[0] if found else ""


def children(pid: int, proc: Path = PROC) -> list[int]:
    """Give the direct children of a process."""
    found = []
    for task in _listed(proc / str(pid) / "task"):
        try:
            found += [int(child) for child in (task / "children").read_text(encoding="ascii").split()]
        except OSError:
            continue
    return found


def descendants(pid: int) -> list[int]:
    """Give every process below a process, the nearest first."""
    found: list[int] = []
    todo = children(pid)
    while todo:
        found += todo
        todo = [grandchild for child in todo for grandchild in children(child)]
    return found


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def memory_bytes(pid: int) -> int:
    """Give a process's proportional share of memory (PSS); 0 when it cannot be read."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


def marked(value: str) -> list[Identity]:
    """Find this user's processes that a platform marked with that value, this one left out."""
    wanted = f"{MARK}={value}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            if wanted in (entry / "environ").read_bytes().split(b"\0"):
                found.append(Identity.of(int(entry.name)))
        except OSError:  # ended meanwhile, or another user's
            continue
    return [identity for identity in found if identity.started]


async def end(identities: Iterable[Identity], patience_seconds: float) -> list[Identity]:
    """Ask processes to end (SIGTERM), then end them (SIGKILL); give those that live nevertheless."""
    left = [identity for identity in identities if identity.alive]
    for number, patience in ((signal.SIGTERM, patience_seconds), (signal.SIGKILL, 5.0)):
        for identity in left:
            identity.signal(number)
        limit = asyncio.get_running_loop().time() + patience
        while left and asyncio.get_running_loop().time() < limit:
            await asyncio.sleep(0.02)
            left = [identity for identity in left if identity.alive]
    return left


def adopt_orphans() -> None:
    """Let what a child leaves behind become this process's child."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_adopted(known: Iterable[int]) -> int:
    """End and reap this process's children that are not in `known`; give how many were found."""
    keep = frozenset(known)
    strangers = [pid for pid in children(os.getpid()) if pid not in keep]
    for pid in strangers:
        try:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, os.WNOHANG)
        except (ProcessLookupError, ChildProcessError):
            continue
    return len(strangers)


def die_with_parent(number: signal.Signals) -> None:
    """Ask the kernel for that signal when the parent ends; for a process that is its own main program."""
    _libc.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)


class Child:
    """A process that this one started.

    Args:
        name: What it is, for people.
        command: Program and arguments.
        folder: Its working folder.
        environment: All of its environment.
        log: Gets its standard output and error, appended.

    Raises:
        OSError: It cannot be started.
    """

    def __init__(
        self, name: str, command: Sequence[str], folder: Path, environment: Mapping[str, str], log: Path
    ) -> None:
        self.name = name
        parent = os.getpid()

        def enter() -> None:
            _libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
            if os.getppid() != parent:  # the parent ended in between
                os._exit(1)

        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=enter,  # noqa: PLW1509 - the supervisor has one thread when it starts children
            )
        self.identity = Identity.of(self._process.pid)
        self._exit: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._descriptor = os.pidfd_open(self._process.pid)
        asyncio.get_running_loop().add_reader(self._descriptor, self._on_exit)

    @property
    def pid(self) -> int:
        """Its id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return not self._exit.done()

    def _on_exit(self) -> None:
        asyncio.get_running_loop().remove_reader(self._descriptor)
        os.close(self._descriptor)
        self._exit.set_result(self._process.wait())

    async def ended(self) -> int:
        """Wait for its end; give its exit code, negative for a signal."""
        return await asyncio.shield(self._exit)

    async def stop(self, grace_seconds: float) -> int:
        """Ask it to end; after the grace time end it with its process group. Give its exit code."""
        if self.running:
            self._process.terminate()
            try:
                async with asyncio.timeout(grace_seconds):
                    await self.ended()
            except TimeoutError:
                self._end_group()
        return await self.ended()

    def _end_group(self) -> None:
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
