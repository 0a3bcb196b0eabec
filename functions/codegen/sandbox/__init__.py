"""Runs a command on untrusted files.

Own processes, bounded resources, scrubbed environment, no network where the kernel allows it.

Use: `outcome = await run(Plan(...))`. Promises: the command sees only `readable` paths and its project; it ends by
`wall_seconds`; no process of it is left when `run` returns or is cancelled; what it prints is kept up to `output_bytes`
and drained beyond. `Outcome.isolation` says how strong the walls were. Does not promise confidentiality of what is in
`readable`, nor protection from a hole in the kernel.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import sysconfig
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

Isolation = Literal["namespaces", "landlock", "process-group"]
"""How strong the walls are, the strongest first."""

NOT_STARTED: Final = 127
"""The code of an outcome whose command could not be started at all."""

_LAUNCHER: Final = Path(__file__).with_name("launcher.py")
_SYSTEM: Final = (
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib64",
    "/lib32",
    "/etc/ld.so.cache",
    "/etc/alternatives",
    "/etc/passwd",
    "/etc/group",
)
_MEGABYTE: Final = 1 << 20


@dataclass(frozen=True)
class Limits:
    """What a command may use. Bytes and seconds."""

    wall_seconds: float = 120
    cpu_seconds: int = 240
    memory_bytes: int = 3072 * _MEGABYTE  # of address space, for each process
    file_bytes: int = 64 * _MEGABYTE
    temporary_bytes: int = 256 * _MEGABYTE
    output_bytes: int = 1 * _MEGABYTE
    open_files: int = 512
    processes: int = 256


@dataclass(frozen=True)
class Plan:
    """One command: `command[0]` is an absolute path; `project` is the only folder that it may write to."""

    command: tuple[str, ...]
    project: Path
    readable: tuple[Path, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    limits: Limits = Limits()
    strongest: Isolation = "namespaces"  # less only in the tests of what happens where the kernel refuses more


@dataclass(frozen=True)
class Outcome:
    """How the command ended.

    Its exit code (128 + signal), what it printed on both streams, and how strong its walls were.
    """

    code: int
    output: str
    timed_out: bool
    isolation: Isolation


def interpreter_paths() -> tuple[Path, ...]:
    """Give the folders that the running Python's base interpreter needs to be read from."""
    library = sysconfig.get_config_var("LIBDIR")
    paths = {Path(sys.base_prefix).resolve(), *([Path(library).resolve()] if library else [])}
    return tuple(sorted(path for path in paths if not path.is_relative_to("/usr")))


async def run(plan: Plan) -> Outcome:
    """Run the command to its end or to its time limit; raises OSError when the launcher itself cannot be started."""
    with tempfile.TemporaryDirectory(prefix="hal9-root-") as root:
        told, tell = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-I", "-S", str(_LAUNCHER), _wire(plan, Path(root), tell),
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
                env={}, start_new_session=True, pass_fds=(tell,),
            )  # fmt: skip
        finally:
            os.close(tell)
        try:
            return await _watch(process, plan.limits, told)
        finally:
            os.close(told)
            await _end(process)


def _wire(plan: Plan, root: Path, report: int) -> str:
    project = plan.project.resolve()
    return json.dumps(
        {
            "root": str(root),
            "command": list(plan.command),
            "project": str(project),
            "project_inside": str(project),
            "readable": [*_SYSTEM, *(str(path) for path in plan.readable)],
            "environment": plan.environment,
            "strongest": plan.strongest,
            "report": report,
            **{
                name: getattr(plan.limits, name)
                for name in ("cpu_seconds", "memory_bytes", "file_bytes", "temporary_bytes", "open_files", "processes")
            },
        }
    )


async def _watch(process: asyncio.subprocess.Process, limits: Limits, told: int) -> Outcome:
    kept = bytearray()
    timed_out = False
    try:
        async with asyncio.timeout(limits.wall_seconds):
            await _drain(process, kept, limits.output_bytes)
            code = await process.wait()
    except TimeoutError:
        timed_out = True
        await _end(process)
        code = 128 + signal.SIGKILL
    return Outcome(code, _text(kept), timed_out, _isolation(os.read(told, 64)))


def _text(output: bytearray) -> str:
    """Decode what came out; U+0000, which no database holds, is replaced as bytes are that are no UTF-8."""
    return output.decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")


def _isolation(report: bytes) -> Isolation:
    """Read the launcher's first line; one that died before it had walls had the weakest."""
    found: Isolation
    for found in ("namespaces", "landlock"):
        if report.strip() == found.encode():
            return found
    return "process-group"


async def _drain(process: asyncio.subprocess.Process, kept: bytearray, most: int) -> None:
    stream = process.stdout
    if stream is None:
        raise RuntimeError("the launcher was started without a pipe")
    while chunk := await stream.read(65536):
        kept += chunk[: most - len(kept)]


async def _end(process: asyncio.subprocess.Process) -> None:
    """End the launcher's session.

    Its death ends the namespace's first process, and so all; without one it ends all itself.
    """
    for number, patience in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(TimeoutError):
            # For asyncio a child has ended when its pipe has too, and a full one has not before somebody reads it.
            await asyncio.wait_for(asyncio.gather(process.wait(), _drain(process, bytearray(), 0)), patience)
            return
