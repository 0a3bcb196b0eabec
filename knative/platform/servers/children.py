"""Starting a server as a child that cannot outlive its parent, also as root, which PostgreSQL refuses to run as.

Promises: the kernel sends the child `death_signal` when the thread that started it ends, however it ends; what an
earlier parent nevertheless left behind is found by its working folder and ended before a data folder is used again.
Start children from the main thread.
Does not: restart what died; the supervisor does.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

NOBODY: Final = 65534
_CLONE_NEWUSER: Final = 0x10000000
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_KEEPCAPS: Final = 8
_PR_CAP_AMBIENT: Final = 47
_PR_CAP_AMBIENT_RAISE: Final = 2
_CAP_DAC_OVERRIDE: Final = 1
_CAPABILITY_VERSION_3: Final = 0x20080522
_ENVIRONMENT: Final = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
_libc: Final = ctypes.CDLL(None, use_errno=True)


class ServerError(RuntimeError):
    """A server cannot start or stop; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Identity:
    """As whom a server runs.

    Attributes:
        owner: the user id that its folders must belong to; None for the user who starts it.
        enter: what the child does before it becomes the server.
    """

    owner: int | None
    enter: Callable[[], None]


def _nothing() -> None:
    """An ordinary user needs no change."""


def _new_user_namespace() -> None:
    """Become an unmapped user in a namespace of one's own: no longer root to PostgreSQL, still root to the files."""
    if _libc.unshare(_CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "unshare(CLONE_NEWUSER)")


def _named_user_namespace() -> None:
    """Appear as nobody, who has a name, to initdb, which refuses a user without one; the files stay one's own."""
    user = os.geteuid()
    _new_user_namespace()
    Path("/proc/self/uid_map").write_text(f"{NOBODY} {user} 1")


class _CapabilityHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _CapabilityData(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def _become_nobody() -> None:
    """Become nobody, but keep the right to pass through root's folders (capabilities(7), ambient set)."""
    _libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    mask = 1 << _CAP_DAC_OVERRIDE
    header = _CapabilityHeader(_CAPABILITY_VERSION_3, 0)
    data = (_CapabilityData * 2)(_CapabilityData(mask, mask, mask), _CapabilityData(0, 0, 0))
    if _libc.capset(ctypes.byref(header), ctypes.byref(data)) != 0:
        raise OSError(ctypes.get_errno(), "capset")
    if _libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_OVERRIDE, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_CAP_AMBIENT)")


def _works(enter: Callable[[], None]) -> bool:
    """Whether a child may do that here; containers often forbid one or the other."""
    try:
        return subprocess.run(["/bin/true"], preexec_fn=enter, check=False).returncode == 0
    except (OSError, subprocess.SubprocessError):
        return False


def unprivileged() -> Identity:
    """How a server that refuses root, and users without a name, is run here.

    Raises:
        ServerError: this is one of them, in a container that allows no way around.
    """
    if os.geteuid() != 0:
        return _ordinary_user()
    if _works(_new_user_namespace):
        return Identity(None, _new_user_namespace)
    if _works(_become_nobody):
        return Identity(NOBODY, _become_nobody)
    raise ServerError(
        "PostgreSQL refuses to run as root, and this container allows neither a user namespace nor changing the user. "
        "Run as an ordinary user, or give HAL9_SHARDS the addresses of servers that run elsewhere."
    )


def _ordinary_user() -> Identity:
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        if _works(_named_user_namespace):
            return Identity(None, _named_user_namespace)
        raise ServerError(
            f"The user {os.geteuid()} has no name, which PostgreSQL wants, and user namespaces are forbidden here. "
            f"Add a line for it to /etc/passwd, or give HAL9_SHARDS the addresses of servers that run elsewhere."
        ) from None
    return Identity(None, _nothing)


def ordinary() -> Identity:
    """The identity of a server that may run as whoever starts it."""
    return Identity(None, _nothing)


def spawn(
    command: Sequence[str], folder: Path, log: Path, identity: Identity, death_signal: signal.Signals
) -> subprocess.Popen[bytes]:
    """Start a server in `folder`, its output appended to `log`.

    Args:
        command: the program and its arguments.
        folder: its working folder; by this `orphans` finds it again.
        log: gets its standard output and error.
        identity: as whom it runs.
        death_signal: what the kernel sends it when the thread that called this ends.
    """
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=_ENVIRONMENT,
            preexec_fn=_becoming(identity, death_signal),  # noqa: PLW1509 - no lock of another thread is needed there
        )


def run(command: Sequence[str], folder: Path, identity: Identity) -> subprocess.Popen[bytes]:
    """Start a program that ends by itself; what it says can be read from its standard output."""
    return subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=_ENVIRONMENT,
        preexec_fn=_becoming(identity, signal.SIGKILL),  # noqa: PLW1509 - no lock of another thread is needed there
    )


def _becoming(identity: Identity, death_signal: signal.Signals) -> Callable[[], None]:
    """What a child does before it becomes another program."""
    parent = os.getpid()

    def enter() -> None:
        os.setsid()
        identity.enter()
        # After the change of user, which clears it; and the parent may have died in between.
        _libc.prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return enter


def orphans(folder: Path) -> list[int]:
    """The processes whose working folder is `folder`, or was until it was removed: what an earlier parent left."""
    wanted = {str(folder.resolve()), f"{folder.resolve()} (deleted)"}  # as proc_pid_cwd(5) spells it
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if str((entry / "cwd").readlink()) in wanted and (entry / "exe").readlink().name.startswith(
                ("postgres", "valkey")
            ):
                found.append(int(entry.name))
        except OSError:  # ended meanwhile, or another user's
            continue
    return found


def _signal_all(pids: Sequence[int], kind: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, kind)
        except ProcessLookupError:
            continue


def end_orphans(
    folder: Path,
    patience: float = 5.0,
    signals: Sequence[signal.Signals] = (signal.SIGQUIT, signal.SIGKILL),
) -> int:
    """End what an earlier parent left running in `folder`, and wait until it is gone; how many there were.

    Args:
        folder: a data folder that this process holds the lock of.
        patience: seconds to wait after each signal.
        signals: what is sent, one after the other.

    Raises:
        ServerError: one of them does not end.
    """
    first = orphans(folder)
    for kind in signals:
        limit = time.monotonic() + patience
        while (left := orphans(folder)) and time.monotonic() < limit:
            _signal_all(left, kind)  # again and again: the first time one of them may just have started another
            time.sleep(0.01)
    if left := orphans(folder):
        raise ServerError(
            f"Processes {left} still use {folder} and do not end. End them with `kill -9 {left[0]}`, then try again."
        )
    return len(first)
