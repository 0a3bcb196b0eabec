"""One shard's two PostgreSQL servers, a primary and its replica, and which of them is which.

Which one is the primary is in a file beside their folders, replaced whole and synced before anything is promoted; so a
start after any kill finds at most one primary. Promises: a replica is never started over a history that it does not
share: it is rewound (pg_rewind) or copied anew first. Does not: decide (`knative.platform.keeper` does), or copy over a
network.
"""

from __future__ import annotations

import json
import logging
import os
import shlex
import shutil
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import quote

from knative.platform.servers.children import ServerError
from knative.platform.servers.postgres import DATABASE, SUPERUSER, Postgres
from shared.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import asyncpg

    Connection = asyncpg.Connection[asyncpg.Record]

log = logging.getLogger("hal9.keeper")

_RECOVERY_SECONDS: Final = 600.0  # a crash recovery that is broken off begins at its beginning again
_PORT_OF_SECOND: Final = 500
"""Between the ports of a shard's two servers, which only name their sockets."""

_SETTINGS: Final = {
    "wal_sender_timeout": "10s",
    "wal_receiver_timeout": "10s",
    "wal_receiver_status_interval": "1s",
    "wal_retrieve_retry_interval": "200ms",
    # Readers on the replica are not cancelled by what the primary cleans up.
    "hot_standby_feedback": "on",
    # But by a lock of the primary's, soon: what is not replayed yet makes a promotion wait for as long.
    "max_standby_streaming_delay": "1s",
    "max_standby_archive_delay": "1s",
}
_FAILOVERS_KEPT: Final = 20


@dataclass(frozen=True, slots=True)
class Failover:
    """One promotion.

    Attributes:
        shard: where.
        generation: of the new primary.
        primary: its name.
        asked: whether somebody asked for it (`hal9 shards promote`).
        at: when it was done (RFC 3339).
        seconds: from the last answer of the old primary until the new one took writes.
        behind_bytes: of the log that the old primary was known to have, and the new one has not. They hold only writes
            of tiers that do not wait for the replica; what these wrote after the last answer is not counted.
    """

    shard: int
    generation: int
    primary: str
    asked: bool
    at: str
    seconds: float
    behind_bytes: int


@dataclass(frozen=True, slots=True)
class Promotion:
    """A promotion that was decided, and of which it is not known yet whether it was done.

    Attributes:
        asked: whether somebody asked for it.
        heard: when the old primary had answered last (seconds since 1970).
        seen: up to where it had its log then, as PostgreSQL writes it.
    """

    asked: bool
    heard: float
    seen: str


@dataclass(slots=True)
class Record:
    """What is remembered of a shard's two servers.

    Attributes:
        primary: the name of the server that takes writes.
        generation: one more with each promotion.
        alone: acknowledged writes may be on the primary only: nothing may be promoted.
        apart: the other server may have a history of its own: it must be rewound before it follows.
        promotion: what is being done; a start after a kill finishes it.
        failovers: the last ones, the oldest first.
    """

    primary: str
    generation: int = 1
    alone: bool = True
    apart: bool = False
    promotion: Promotion | None = None
    failovers: tuple[Failover, ...] = ()

    @classmethod
    def read(cls, document: dict[str, Any]) -> Self:
        """Read what `asdict` gave.

        Raises:
            TypeError, ValueError: it is nothing of the kind.
        """
        promotion = document.get("promotion")
        return cls(
            **document
            | {
                "promotion": promotion and Promotion(**promotion),
                "failovers": tuple(Failover(**one) for one in document.get("failovers", ())),
            }
        )


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
        names = _names(number)
        self.nodes: tuple[Postgres, ...] = tuple(
            Postgres(
                folder / name, run, number + _PORT_OF_SECOND * place, folder / f"{name}.log",
                template=template, durable=durable, name=name, patience_seconds=_RECOVERY_SECONDS,
                settings=_SETTINGS
                | _following(run, 5432 + number + _PORT_OF_SECOND * (1 - place), name, folder / names[1 - place]),
            )
            for place, name in enumerate(names)
        )  # fmt: skip
        self.record = self._read()

    def only(self) -> Postgres:
        """The primary, for a start without a replica: it waits for none, and follows nobody."""
        self.primary.settings = {"synchronous_standby_names": ""}
        return self.primary

    def _read(self) -> Record:
        try:
            return Record.read(json.loads(self._file.read_bytes()))
        except FileNotFoundError:
            return Record(self._only_one())
        except (ValueError, TypeError, AttributeError) as error:
            raise ServerError(
                f"{self._file} does not say which server is the primary ({error}): restore it from a backup."
            ) from error

    def _only_one(self) -> str:
        """The name of the primary where nothing says which one it is: the one that is there."""
        there = [node for node in self.nodes if (node.folder / "PG_VERSION").exists()]
        if len(there) > 1:
            raise ServerError(
                f"{self._file} is gone, and with it which of {there[0].folder} and {there[1].folder} is the primary. "
                "Restore it from a backup; or move the folder of the other one away: there is a standby.signal in it."
            )
        return (there or self.nodes)[0].name

    def remember(self, **changes: Any) -> None:
        """Change the record, on disk before anything is done about it."""
        record = replace(self.record, **changes)
        self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        partial = self._file.with_suffix(".partial")
        with partial.open("w", encoding="utf-8") as file:
            json.dump(asdict(record), file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self._file)
        descriptor = os.open(self._file.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        self.record = record

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
        if self.record.promotion is not None or _signal(self.primary).exists():
            await self.promote()

    async def promote(self) -> Failover:
        """Make a primary of the server that the record names as such, and write down what became of it.

        Whoever calls this has ended the old primary, and remembered the `promotion`; nobody has where the record was
        written by hand.

        Raises:
            TimeoutError: it is still a replica after half a minute.
        """
        from shared.replicas import lease
        from shared.replicas.lsn import parse, spell

        async with self.superuser(self.primary) as connection:
            began = await lease.promote(connection)
            await lease.wait_for(connection, [])
            await lease.renew(connection, self.record.generation)
        now = SystemClock().now()
        promotion = self.record.promotion or Promotion(True, now.timestamp(), spell(began))
        done = Failover(
            shard=self.number,
            generation=self.record.generation,
            primary=self.record.primary,
            asked=promotion.asked,
            at=now.isoformat(timespec="milliseconds"),
            seconds=round(max(0.0, now.timestamp() - promotion.heard), 3),
            behind_bytes=max(0, parse(promotion.seen) - began),
        )
        self.remember(promotion=None, failovers=(*self.record.failovers, done)[-_FAILOVERS_KEPT:])
        log.warning(
            "shard %d: %s is the primary after %.1f s, generation %d; %d bytes of the log of %s are lost",
            self.number, done.primary, done.seconds, done.generation, done.behind_bytes, self.replica.name,
        )  # fmt: skip
        return done

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
            await lease.keep_log_no_more(connection)

    async def _rewind(self) -> None:
        """Take back what only the replica has; copy it anew where that is not possible."""
        await self._ended()
        # What a rewind that was cut off leaves behind is of no use (PostgreSQL manual, pg_rewind, notes).
        torn = self.replica.folder.with_name(self.replica.folder.name + ".rewinding")
        source = f"host='{_quoted(str(self.primary.run))}' port={self.primary.port} user={SUPERUSER} dbname={DATABASE}"
        if torn.exists():
            await self._copy()
        else:
            torn.touch()
            try:
                await self.replica.run_program(
                    "pg_rewind", "--target-pgdata", str(self.replica.folder), "--source-server", source, "--no-sync"
                )
            except ServerError:
                await self._copy()
        torn.unlink()

    async def _copy(self) -> None:
        await self._ended()
        partial = self.replica.folder.with_name(self.replica.folder.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        await self.replica.run_program(
            "pg_basebackup", "--pgdata", str(partial), "--host", str(self.primary.run),
            "--port", str(self.primary.port), "--username", SUPERUSER, "--wal-method", "stream",
            "--checkpoint", "fast", "--no-sync",
        )  # fmt: skip
        shutil.rmtree(self.replica.folder, ignore_errors=True)
        partial.rename(self.replica.folder)

    async def _ended(self) -> None:
        """End the replica, and what an earlier platform left of it, perhaps stopped."""
        await self.replica.stop()
        await self.replica.kill()

    async def stop(self) -> None:
        """Stop the primary, which sends the replica all that it has, then the replica."""
        await self.primary.stop()
        await self.replica.stop()


def _signal(node: Postgres) -> Path:
    """The file that makes a server start as a replica (PostgreSQL manual, 26.2.4)."""
    return node.folder / "standby.signal"


def _names(number: int) -> tuple[str, str]:
    """What a shard's two servers are called."""
    return f"postgres-{number}", f"postgres-{number}-b"


def _slot(name: str) -> str:
    return name.replace("-", "_")


def slots(number: int) -> tuple[str, ...]:
    """The slots by which either of a shard's servers keeps its log for the other one."""
    return tuple(_slot(name) for name in _names(number))


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
