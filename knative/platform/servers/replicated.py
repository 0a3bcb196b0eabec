"""One shard's two PostgreSQL servers, a primary and its replica, and which of them is which.

Which one is the primary is in a file beside their folders, replaced whole and synced before anything is promoted; so a
start after any kill finds at most one primary. Promises: a replica is never started over a history that it does not
share: it is rewound (pg_rewind) or copied anew first. Does not: decide (`knative.platform.keeper` does), or copy over a
network.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from knative.platform.servers.children import ServerError
from knative.platform.servers.postgres import DATABASE, SUPERUSER, Postgres

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import asyncpg

    Connection = asyncpg.Connection[asyncpg.Record]

_PORT_OF_SECOND: Final = 500
"""Between the ports of a shard's two servers, which only name their sockets."""

_SETTINGS: Final = {
    "wal_sender_timeout": "10s",
    "wal_receiver_timeout": "10s",
    "wal_receiver_status_interval": "1s",
    "wal_retrieve_retry_interval": "200ms",
    # Readers on the replica are not cancelled by what the primary cleans up.
    "hot_standby_feedback": "on",
}


@dataclass(slots=True)
class Record:
    """What is remembered of a shard's two servers.

    Attributes:
        primary: the name of the server that takes writes.
        generation: one more with each promotion.
        alone: acknowledged writes may be on the primary only: nothing may be promoted.
        apart: the other server may have a history of its own: it must be rewound before it follows.
    """

    primary: str
    generation: int = 1
    alone: bool = True
    apart: bool = False


class Replicated:
    """The two servers of one shard.

    Args:
        folder: holds their data folders, and the record.
        run: the folder of their sockets.
        number: the shard's.
        template: see `Postgres`.
        durable: see `Postgres`.
    """

    def __init__(
        self, folder: Path, run: Path, number: int, *, template: Path | None = None, durable: bool = True
    ) -> None:
        self.number = number
        self._file = folder / f"shard-{number}.json"
        names = (f"postgres-{number}", f"postgres-{number}-b")
        self.nodes: tuple[Postgres, ...] = tuple(
            Postgres(
                folder / name, run, number + _PORT_OF_SECOND * place, folder / f"{name}.log",
                template=template, durable=durable, name=name,
                settings=_SETTINGS
                | _following(run, 5432 + number + _PORT_OF_SECOND * (1 - place), name, folder / names[1 - place]),
            )
            for place, name in enumerate(names)
        )  # fmt: skip
        self.record = self._read(names[0])

    def only(self) -> Postgres:
        """The primary, for a start without a replica: it waits for none, and follows nobody."""
        self.primary.settings = {"synchronous_standby_names": ""}
        return self.primary

    def _read(self, first: str) -> Record:
        try:
            return Record(**json.loads(self._file.read_bytes()))
        except FileNotFoundError:
            return Record(first)
        except (ValueError, TypeError) as error:
            raise ServerError(
                f"{self._file} does not say which server is the primary ({error}): restore it from a backup."
            ) from error

    def remember(self, **changes: Any) -> None:
        """Change the record, on disk before anything is done about it."""
        document = asdict(self.record) | changes
        self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        partial = self._file.with_suffix(".partial")
        with partial.open("w", encoding="utf-8") as file:
            json.dump(document, file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self._file)
        descriptor = os.open(self._file.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        self.record = Record(**document)

    @property
    def primary(self) -> Postgres:
        """The server that takes writes."""
        return next(node for node in self.nodes if node.name == self.record.primary)

    @property
    def replica(self) -> Postgres:
        """The other one."""
        return next(node for node in self.nodes if node.name != self.record.primary)

    def dsn(self, role: str) -> str:
        """The address for that role, of both: whoever connects finds the one that takes writes."""
        hosts = "%2C".join(quote(str(node.run), safe="/") for node in self.nodes)
        ports = "%2C".join(str(node.port) for node in self.nodes)
        return f"postgresql://{role}@/{DATABASE}?host={hosts}&port={ports}&target_session_attrs=read-write"

    @asynccontextmanager
    async def superuser(self, node: Postgres) -> AsyncIterator[Connection]:
        """Connect to one of them as the superuser."""
        import asyncpg  # only a platform with replicas needs a driver in its supervisor

        connection = await asyncpg.connect(
            node.dsn(SUPERUSER), timeout=5, command_timeout=60, server_settings={"application_name": "hal9-keeper"}
        )
        try:
            yield connection
        finally:
            connection.terminate()

    async def start_primary(self) -> None:
        """Start the primary; one whose promotion was cut off is promoted now.

        Raises:
            ServerError: it cannot be started.
        """
        if self._file.exists() and not (self.primary.folder / "PG_VERSION").exists():
            raise ServerError(f"The data folder {self.primary.folder} is gone.")  # not to be made anew, empty
        await self.primary.start()
        if _signal(self.primary).exists():
            from shared.replicas import lease

            async with self.superuser(self.primary) as connection:
                await lease.promote(connection)

    async def start_replica(self, *, anew: bool = False) -> None:
        """Start the replica, whose primary runs: as it is, rewound, or copied anew.

        Args:
            anew: copy it anew, whatever is there.

        Raises:
            ServerError: it cannot be started.
        """
        from shared.replicas import lease

        async with self.superuser(self.primary) as connection:
            await lease.keep_log_for(connection, _slot(self.replica.name))
            if self.record.apart:
                await connection.execute("CHECKPOINT")  # pg_rewind reads the new history from the control file
        if anew or not (self.replica.folder / "PG_VERSION").exists():
            await self._copy()
        elif self.record.apart:
            await self._rewind()
        self.remember(apart=False)
        _signal(self.replica).touch()
        await self.replica.start()
        async with self.superuser(self.replica) as connection:
            await lease.keep_log_no_more(connection, _slot(self.primary.name))

    async def _rewind(self) -> None:
        """Take back what only the replica has; copy it anew where that is not possible."""
        await self.replica.stop()
        source = f"host='{_quoted(str(self.primary.run))}' port={self.primary.port} user={SUPERUSER} dbname={DATABASE}"
        try:
            await self.replica.run_program(
                "pg_rewind", "--target-pgdata", str(self.replica.folder), "--source-server", source, "--no-sync"
            )
        except ServerError:
            await self._copy()

    async def _copy(self) -> None:
        await self.replica.stop()
        partial = self.replica.folder.with_name(self.replica.folder.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        await self.replica.run_program(
            "pg_basebackup", "--pgdata", str(partial), "--host", str(self.primary.run),
            "--port", str(self.primary.port), "--username", SUPERUSER, "--wal-method", "stream",
            "--checkpoint", "fast", "--no-sync",
        )  # fmt: skip
        shutil.rmtree(self.replica.folder, ignore_errors=True)
        partial.rename(self.replica.folder)

    async def stop(self) -> None:
        """Stop the primary, which sends the replica all that it has, then the replica."""
        await self.primary.stop()
        await self.replica.stop()


def _signal(node: Postgres) -> Path:
    """The file that makes a server start as a replica (PostgreSQL manual, 26.2.4)."""
    return node.folder / "standby.signal"


def _slot(name: str) -> str:
    return name.replace("-", "_")


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")


def _following(run: Path, port: int, name: str, other: Path) -> dict[str, str]:
    """What a server needs to follow the other one; ignored while it is the primary.

    Both are on one machine: what a primary that has ended had not sent yet is read from its folder before its replica
    is promoted, as PostgreSQL replays all that it can get first. So only a lost disk loses what was acknowledged.
    """
    address = f"host='{_quoted(str(run))}' port={port} user={SUPERUSER} application_name={name}"
    log = shlex.quote(str(other / "pg_wal")).replace("%", "%%")
    return {
        "primary_conninfo": address,
        "primary_slot_name": _slot(name),
        "restore_command": f'cp {log}/%f "%p"',
    }
