"""Builds the walls of a sandbox around one command, then becomes its first process.

Run as a program: `python -I -S launcher.py PLAN`.

PLAN is a JSON object (see `sandbox.Plan`). Where the kernel allows unprivileged user namespaces, the command gets
namespaces of its own for users, mounts, processes, network (only a loopback interface) and IPC, on a file system that
holds nothing but what PLAN names: in the mount namespace `/` is an empty tmpfs, so neither the platform's sockets and
keys nor anyone's home can be opened. Where it does not (a container under a restricted profile), the command is held by
Landlock and seccomp: the same files, no sockets, no look into other processes. Where the kernel has not even those, it
still gets its own session, resource limits and a scrubbed environment, and every descendant is killed at its end.

The first line on the report descriptor says which of the three it became. Promises: nothing of the command's processes
outlives this process. Imports only the standard library, for it runs before any package can be reached. References:
unshare(2), pivot_root(2), mount_setattr(2), user_namespaces(7), landlock(7), seccomp(2).
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import json
import os
import resource
import signal
import socket
import stat
import struct
import sys
from pathlib import Path
from typing import Any, Final, NoReturn

_CLONE_NEWNS: Final = 0x00020000
_CLONE_NEWIPC: Final = 0x08000000
_CLONE_NEWUSER: Final = 0x10000000
_CLONE_NEWPID: Final = 0x20000000
_CLONE_NEWNET: Final = 0x40000000
_MS_NOSUID, _MS_NODEV, _MS_BIND, _MS_REC, _MS_PRIVATE = 2, 4, 4096, 16384, 1 << 18
_MNT_DETACH: Final = 2
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 1, 36, 38
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_MOUNT_ATTR_RDONLY, _MOUNT_ATTR_NOSUID = 1, 2
_SYS_PIVOT_ROOT: Final = {"x86_64": 155, "aarch64": 41}
_SYS_MOUNT_SETATTR: Final = 442
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1
_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 22, 2
_LANDLOCK_CREATE_RULESET, _LANDLOCK_ADD_RULE, _LANDLOCK_RESTRICT_SELF = 444, 445, 446
_LANDLOCK_VERSION, _LANDLOCK_PATH_BENEATH = 1, 1
_LANDLOCK_ALL: Final = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
"""Every right to files that a version of Landlock knows; a version that is not here knows those of the one before."""
_LANDLOCK_READ: Final = 1 << 0 | 1 << 2 | 1 << 3  # execute, read files, list folders
_LANDLOCK_OF_FILES: Final = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 14 | 1 << 15
_LANDLOCK_NETWORK: Final = 1 << 0 | 1 << 1  # bind and connect TCP, from version 4
_LANDLOCK_SCOPES: Final = 1 << 0 | 1 << 1  # abstract sockets and signals stay within, from version 6
_DEVICES: Final = ("null", "zero", "full", "random", "urandom")
_ARCHITECTURES: Final = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_SYSCALLS: Final = {
    # socket, ptrace, process_vm_readv, process_vm_writev, pidfd_getfd, io_uring_setup, bpf, keyctl, userfaultfd
    "x86_64": (41, 101, 310, 311, 438, 425, 321, 250, 323),
    "aarch64": (198, 117, 270, 271, 438, 425, 280, 219, 282),
}
"""What a command must not ask for: no socket of any kind, but for a pair, which asyncio needs."""
_X32: Final = 0x40000000
_INNER_ID: Final = 1000
_NOBODY: Final = 65534
_REFUSED: Final = 126
_NICENESS: Final = 10
"""What is verified gives way to the function that answers others meanwhile, and to its neighbours."""


_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


def _mount(source: str, target: Path, kind: str | None, flags: int, data: str | None = None) -> None:
    encoded = [part.encode() if part is not None else None for part in (source, str(target), kind, data)]
    _check(_libc.mount(encoded[0], encoded[1], encoded[2], ctypes.c_ulong(flags), encoded[3]), f"mount {target}")


def _read_only(target: Path, flags: int = _AT_RECURSIVE) -> None:
    attributes = struct.pack("QQQQ", _MOUNT_ATTR_RDONLY | _MOUNT_ATTR_NOSUID, 0, 0, 0)
    arguments = (_AT_FDCWD, str(target).encode(), flags, attributes, len(attributes))
    _check(_libc.syscall(_SYS_MOUNT_SETATTR, *arguments), f"mount_setattr {target}")


def _bind(source: Path, root: Path, *, read_only: bool, at: Path | None = None) -> None:
    target = root / (at or source).relative_to("/")
    if source.is_symlink():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(source.readlink())
        return
    if source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    _mount(str(source), target, None, _MS_BIND | _MS_REC)
    if read_only:
        _read_only(target)


def _own_namespaces() -> None:
    _check(_libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNS | _CLONE_NEWPID | _CLONE_NEWNET | _CLONE_NEWIPC), "unshare")


def _as_nobody(plan: dict[str, Any]) -> bool:
    """Whether the command is to run as nobody: when root runs us, and others than root may read what it needs."""
    return os.getuid() == 0 and all(_open_to_others(Path(path)) for path in plan["readable"] if Path(path).exists())


def _open_to_others(path: Path) -> bool:
    return bool(path.stat().st_mode & (stat.S_IXOTH if path.is_dir() else stat.S_IROTH))


def _map_users(process: int, *, nobody: bool) -> None:
    """Say who the namespace's users are, from outside it.

    As nobody the limit on processes holds, from which root is exempt; else the command stays who we are.
    """
    user, group = os.getuid(), os.getgid()
    folder = Path(f"/proc/{process}")
    if nobody:
        (folder / "uid_map").write_text(f"0 0 1\n{_INNER_ID} {_NOBODY} 1")
        (folder / "gid_map").write_text(f"0 0 1\n{_INNER_ID} {_NOBODY} 1")
        return
    (folder / "setgroups").write_text("deny")
    (folder / "uid_map").write_text(f"{_INNER_ID} {user} 1")
    (folder / "gid_map").write_text(f"{_INNER_ID} {group} 1")


def _become_nobody() -> None:
    """Be the namespace's ordinary user; a step only where its root stands for the real one."""
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(_INNER_ID)
        os.setuid(_INNER_ID)


def _give_away(project: Path) -> None:
    """Let nobody own the project."""
    for folder, _, names in os.walk(project):
        os.lchown(folder, _NOBODY, _NOBODY)
        for name in names:
            os.lchown(Path(folder) / name, _NOBODY, _NOBODY)


def _loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        request = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack("16sH14x", fcntl.ioctl(channel, _SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(channel, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | _IFF_UP))


def _own_file_system(plan: dict[str, Any]) -> None:
    root = Path(plan["root"])
    _mount("none", Path("/"), None, _MS_REC | _MS_PRIVATE)
    _mount("tmpfs", root, "tmpfs", _MS_NOSUID | _MS_NODEV, "size=16m,mode=755")
    for name in _DEVICES:
        _bind(Path("/dev") / name, root, read_only=False)
    for name, size in (("tmp", plan["temporary_bytes"]), ("dev/shm", plan["temporary_bytes"])):
        (root / name).mkdir(parents=True, exist_ok=True)
        _mount("tmpfs", root / name, "tmpfs", _MS_NOSUID | _MS_NODEV, f"size={size},mode=1777")
    for path in plan["readable"]:  # after /tmp: what is to be read may lie below it
        if Path(path).exists():
            _bind(Path(path), root, read_only=True)
    (root / "proc").mkdir()
    _mount("proc", root / "proc", "proc", _MS_NOSUID | _MS_NODEV)
    _bind(Path(plan["project"]), root, read_only=False, at=Path(plan["project_inside"]))
    _pivot(root)


def _pivot(root: Path) -> None:
    old = root / "tmp"
    _check(_libc.syscall(_SYS_PIVOT_ROOT[os.uname().machine], str(root).encode(), str(old).encode()), "pivot_root")
    os.chdir("/")
    _check(_libc.umount2(b"/tmp", _MNT_DETACH), "umount of the old root")
    _read_only(Path("/"), flags=0)


def _limit(plan: dict[str, Any], *, processes: bool) -> None:
    limits = [
        (resource.RLIMIT_AS, plan["memory_bytes"]),
        (resource.RLIMIT_FSIZE, plan["file_bytes"]),
        (resource.RLIMIT_NOFILE, plan["open_files"]),
        (resource.RLIMIT_CPU, plan["cpu_seconds"]),
        (resource.RLIMIT_CORE, 0),
    ]
    if processes:  # counted for the whole user where there is no namespace of users: there it would hit others
        limits.append((resource.RLIMIT_NPROC, plan["processes"]))
    for kind, value in limits:
        resource.setrlimit(kind, (value, value))
    os.nice(_NICENESS)
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")


def _command(plan: dict[str, Any], directory: str, *, processes: bool) -> NoReturn:
    os.chdir(directory)
    _limit(plan, processes=processes)
    try:
        os.execve(plan["command"][0], plan["command"], plan["environment"])  # noqa: S606 - no shell is wanted
    except OSError as error:
        os.write(2, f"{plan['command'][0]} cannot be started: {error.strerror}\n".encode())
        os._exit(127)


def _code(status: int) -> int:
    return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def _reap_until(child: int) -> int:
    while True:
        try:
            pid, status = os.wait()
        except ChildProcessError:  # it was ended and reaped while a signal was handled
            return 128 + signal.SIGKILL
        if pid == child:
            return _code(status)


def _first_process(plan: dict[str, Any]) -> NoReturn:
    """Be process 1 of the namespace: when it ends, the kernel ends all others."""
    _check(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "pdeathsig")
    child = os.fork()
    if child == 0:
        _become_nobody()
        _command(plan, plan["project_inside"], processes=True)
    os._exit(_reap_until(child))


def _report(plan: dict[str, Any], isolation: str) -> None:
    os.write(plan["report"], f"{isolation}\n".encode())
    os.close(plan["report"])


def _isolated(plan: dict[str, Any]) -> int | None:
    """Run the command behind namespaces; None where the kernel refuses them (nothing has been run then)."""
    nobody = _as_nobody(plan)
    if nobody:
        _give_away(Path(plan["project"]))
    stages = [os.pipe() for _ in range(3)]
    outer = os.fork()
    if outer == 0:
        _behind_namespaces(plan, stages)
    (unshared, tell_unshared), (mapped, tell_mapped), (built, tell_built) = stages
    for descriptor in (tell_unshared, mapped, tell_built):
        os.close(descriptor)
    if os.read(unshared, 1):
        with contextlib.suppress(OSError):
            _map_users(outer, nobody=nobody)
            os.write(tell_mapped, b"1")
    os.close(tell_mapped)
    works = os.read(built, 1) == b"1"
    code = _reap_until(outer)
    return code if works else None


def _behind_namespaces(plan: dict[str, Any], stages: list[tuple[int, int]]) -> NoReturn:
    """Make the namespaces, wait to be told who is who in them, then be the parent of their first process."""
    (unshared, tell_unshared), (mapped, tell_mapped), (built, tell_built) = stages
    for descriptor in (unshared, tell_mapped, built):
        os.close(descriptor)
    try:
        _own_namespaces()
        os.write(tell_unshared, b"1")
        os.close(tell_unshared)
        if not os.read(mapped, 1):
            os._exit(_REFUSED)
        first = os.fork()
        if first == 0:
            _own_file_system(plan)
            _loopback_up()
            os.write(tell_built, b"1")
            os.close(tell_built)
            _report(plan, "namespaces")
            _first_process(plan)
        os.close(tell_built)
        os._exit(_reap_until(first))
    except OSError:
        os._exit(_REFUSED)


def _confined(plan: dict[str, Any]) -> bool:
    """Hold this process, for good, to the plan's files and to no sockets; False where the kernel cannot."""
    try:
        _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
        _only_files_of(plan)
        _no_sockets()
    except OSError:
        return False
    plan["environment"] = {**plan["environment"], "HOME": plan["root"], "TMPDIR": plan["root"]}
    return True


def _only_files_of(plan: dict[str, Any]) -> None:
    version = _libc.syscall(_LANDLOCK_CREATE_RULESET, None, 0, _LANDLOCK_VERSION)
    if version < 1:
        raise OSError("this kernel has no Landlock")
    known = _LANDLOCK_ALL[max(number for number in _LANDLOCK_ALL if number <= version)]
    attributes = struct.pack(
        "QQQ", known, _LANDLOCK_NETWORK if version >= 4 else 0, _LANDLOCK_SCOPES if version >= 6 else 0
    )
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset = _libc.syscall(_LANDLOCK_CREATE_RULESET, attributes, size, 0)
    _check(min(ruleset, 0), "landlock_create_ruleset")
    for path in plan["readable"]:
        _allow(ruleset, Path(path), _LANDLOCK_READ & known)
    for path in (*(f"/dev/{name}" for name in _DEVICES), plan["project"], plan["root"]):
        _allow(ruleset, Path(path), known)
    _check(_libc.syscall(_LANDLOCK_RESTRICT_SELF, ruleset, 0), "landlock_restrict_self")
    os.close(ruleset)


def _allow(ruleset: int, path: Path, rights: int) -> None:
    if not path.exists():
        return
    beneath = os.open(path, os.O_PATH | os.O_CLOEXEC)
    rule = struct.pack("=Qi", rights if path.is_dir() else rights & _LANDLOCK_OF_FILES, beneath)
    _check(_libc.syscall(_LANDLOCK_ADD_RULE, ruleset, _LANDLOCK_PATH_BENEATH, rule, 0), f"landlock_add_rule {path}")
    os.close(beneath)


def _no_sockets() -> None:
    """Refuse the system calls in `_SYSCALLS`, and those of other architectures, with EPERM."""
    machine = os.uname().machine
    refused = _SYSCALLS[machine]
    load, equal, at_least, give = 0x20, 0x15, 0x35, 0x06  # instructions of classic BPF
    allow, deny = 0x7FFF0000, 0x00050000 | errno.EPERM
    last = len(refused) + 1  # the jumps below count from the instruction after them to the one that denies
    program = [
        (load, 0, 0, 4),  # the architecture
        (equal, 0, last + 2, _ARCHITECTURES[machine]),
        (load, 0, 0, 0),  # the call's number
        (at_least, last, 0, _X32),
        *((equal, last - 1 - index, 0, number) for index, number in enumerate(refused)),
        (give, 0, 0, allow),
        (give, 0, 0, deny),
    ]
    code = b"".join(struct.pack("HBBI", *instruction) for instruction in program)
    kept = ctypes.create_string_buffer(code, len(code))
    filters = struct.pack("HxxxxxxQ", len(program), ctypes.addressof(kept))
    _check(_libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, filters, 0, 0), "seccomp")


def _descendants() -> list[int]:
    listing = Path(f"/proc/self/task/{os.getpid()}/children")
    return [int(pid) for pid in listing.read_text().split()] if listing.exists() else []


def _grouped(plan: dict[str, Any]) -> int:
    """Run the command in a session of its own, held by Landlock and seccomp where the kernel has them.

    Whatever it leaves behind is ours to end.
    """
    _check(_libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "subreaper")
    _check(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0), "pdeathsig")
    signal.signal(signal.SIGTERM, lambda *_: _end_descendants())
    child = os.fork()
    if child == 0:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _report(plan, "landlock" if plan["strongest"] != "process-group" and _confined(plan) else "process-group")
        _command(plan, plan["project"], processes=False)
    os.close(plan["report"])
    code = _reap_until(child)
    _end_descendants()
    return code


def _end_descendants() -> None:
    """Kill generation by generation: the children of whoever dies become ours."""
    while left := _descendants():
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        for pid in left:
            os.waitpid(pid, 0)


def main() -> None:
    """Run the plan of the command line and exit with the command's code (128 + the signal that ended it)."""
    plan = json.loads(sys.argv[1])
    _check(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "pdeathsig")
    code = _isolated(plan) if plan["strongest"] == "namespaces" else None
    os._exit(_grouped(plan) if code is None else code)


if __name__ == "__main__":
    main()
