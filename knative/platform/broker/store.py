"""What the broker has promised to deliver, on disk: SQLite in WAL mode with `synchronous=FULL`, one writing thread.

Promises: when a method returns, what it did survives kill -9 and a power cut; writes that come together share one
fsync (group commit), and one that fails does not take the others along; the file's size is bounded, a full one is a
`StoreFullError`, as is a full disk. Does not: keep what has been delivered, or order anything.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

T = TypeVar("T")

SCHEMA_VERSION: Final = 1
PAGE_BYTES: Final = 4096
MAX_BYTES: Final = 1024 * 1024 * 1024
GROUP: Final = 256
"""Writes that share one commit at most."""

_SCHEMA: Final = """
CREATE TABLE events (id INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE deliveries (
    id INTEGER PRIMARY KEY,
    event INTEGER NOT NULL REFERENCES events (id),
    trigger TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    due REAL NOT NULL
);
CREATE INDEX deliveries_event ON deliveries (event);
"""


class StoreError(RuntimeError):
    """The store cannot be used; the text says what to do."""


class StoreFullError(StoreError):
    """There is no room for another event."""


@dataclass(slots=True)
class Pending:
    """A delivery that is to be made.

    Attributes:
        id: Its row.
        event: The event's row.
        trigger: The subscription's key.
        attempts: How many were made.
        due: When the next one is, in seconds since the epoch.
    """

    id: int
    event: int
    trigger: str
    attempts: int
    due: float


Routed = tuple[bytes, "Sequence[tuple[str, float]]"]
"""An event's bytes and, for each delivery, the trigger's key and when it is due."""


class Store:
    """The deliveries that are to be made.

    Args:
        folder: Where the file is.
        max_bytes: Its size at most.

    Raises:
        StoreError: Another version's, damaged, or not writable.
    """

    def __init__(self, folder: Path, max_bytes: int = MAX_BYTES) -> None:
        self._path = folder / "broker.sqlite"
        self._max_bytes = max_bytes
        try:
            self._writer = self._connect()
            self._prepare()
            self._reader = self._connect()
        except sqlite3.Error as error:
            raise StoreError(
                f"The broker's store {self._path} cannot be opened ({error}): free disk space and make the folder "
                "writable; if the file is damaged, move it away (events that were not delivered yet are lost with it)."
            ) from error
        self._closed = False
        self._queue: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write_all, name="broker-store", daemon=True)
        self._thread.start()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=10.0)
        for pragma in (
            f"page_size={PAGE_BYTES}", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "cache_size=-2048",
            "temp_store=MEMORY", f"max_page_count={self._max_bytes // PAGE_BYTES}", "journal_size_limit=8388608",
        ):  # fmt: skip
            connection.execute(f"PRAGMA {pragma}")
        return connection

    def _prepare(self) -> None:
        (version,) = self._writer.execute("PRAGMA user_version").fetchone()
        if version == 0:
            self._writer.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version={SCHEMA_VERSION}; COMMIT;")
        elif version != SCHEMA_VERSION:
            raise StoreError(
                f"The broker's store {self._path} was made by another version of HAL9 (format {version}, this one is "
                f"{SCHEMA_VERSION}): run the release that made it, or set HAL9_HOME to another folder."
            )

    # writing

    async def accept(self, events: Iterable[Routed]) -> list[Pending]:
        """Keep events with the deliveries that they need, all or none.

        Raises:
            StoreFullError: No room, in the file or on the disk.
            StoreError: The disk fails.
        """
        kept = list(events)
        return await self._write(lambda connection: _insert_all(connection, kept))

    async def done(self, pending: Pending, events: Iterable[Routed] = ()) -> list[Pending]:
        """Forget a delivery that was made or given up, and keep what came of it (a reply, a dead letter), as one."""
        kept = list(events)

        def work(connection: sqlite3.Connection) -> list[Pending]:
            _delete(connection, pending)
            return _insert_all(connection, kept)

        return await self._write(work)

    async def later(self, pending: Pending) -> None:
        """Keep a delivery's new number of attempts and when it is due."""
        row = (pending.attempts, pending.due, pending.id)
        await self._write(
            lambda connection: connection.execute("UPDATE deliveries SET attempts = ?, due = ? WHERE id = ?", row)
        )

    async def drop_triggers(self, known: Iterable[str]) -> int:
        """Forget the deliveries of subscriptions that are no more, as Knative does; give how many there were."""
        keep = list(known)

        def work(connection: sqlite3.Connection) -> int:
            marks = ",".join("?" * len(keep))
            found = connection.execute(
                f"SELECT id, event, trigger, attempts, due FROM deliveries WHERE trigger NOT IN ({marks})",  # noqa: S608
                keep,
            ).fetchall()
            for row in found:
                _delete(connection, Pending(*row))
            return len(found)

        return await self._write(work)

    # reading

    def event(self, pending: Pending) -> bytes | None:
        """Give a delivery's event, None when it was made meanwhile."""
        row = self._reader.execute("SELECT body FROM events WHERE id = ?", (pending.event,)).fetchone()
        return None if row is None else row[0]

    def pending(self) -> list[Pending]:
        """Give every delivery that is to be made, the oldest first."""
        rows = self._reader.execute("SELECT id, event, trigger, attempts, due FROM deliveries ORDER BY id")
        return [Pending(*row) for row in rows]

    def used_bytes(self) -> int:
        """Give how much of the file is used."""
        (pages,) = self._reader.execute("PRAGMA page_count").fetchone()
        (free,) = self._reader.execute("PRAGMA freelist_count").fetchone()
        return int(pages - free) * PAGE_BYTES

    def close(self) -> None:
        """Finish what is being written, and close the file."""
        self._queue.put(None)
        self._thread.join()
        self._reader.close()
        self._writer.close()

    # the writing thread

    async def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        loop = asyncio.get_running_loop()
        result: asyncio.Future[Any] = loop.create_future()
        self._queue.put(_Write(work, loop, result))
        done: T = await asyncio.shield(result)
        return done

    def _write_all(self) -> None:
        while True:
            batch = self._next_batch()
            if batch:
                self._commit(batch)
            if self._closed:
                return

    def _next_batch(self) -> list[_Write]:
        batch: list[_Write] = []
        first = self._queue.get()
        while first is not None:
            batch.append(first)
            if len(batch) == GROUP or self._queue.empty():
                return batch
            first = self._queue.get()
        self._closed = True
        return batch

    def _commit(self, batch: list[_Write]) -> None:
        try:
            results = self._transaction(batch)
        except sqlite3.Error as error:
            if len(batch) > 1:
                for one in batch:
                    self._commit([one])
            else:
                batch[0].fail(_said(error, self._path))
            return
        for one, result in zip(batch, results, strict=True):
            one.succeed(result)

    def _transaction(self, batch: list[_Write]) -> list[Any]:
        self._writer.execute("BEGIN IMMEDIATE")
        try:
            results = [one.work(self._writer) for one in batch]
            self._writer.execute("COMMIT")
        except BaseException:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            raise
        return results


@dataclass(slots=True)
class _Write:
    """One write, and who waits for it."""

    work: Callable[[sqlite3.Connection], Any]
    loop: asyncio.AbstractEventLoop
    result: asyncio.Future[Any]

    def succeed(self, result: Any) -> None:
        """Give the result to who waits."""
        self._tell(self.result.set_result, result)

    def fail(self, error: Exception) -> None:
        """Give the error to who waits."""
        self._tell(self.result.set_exception, error)

    def _tell(self, what: Callable[[Any], None], value: Any) -> None:
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(lambda: None if self.result.done() else what(value))


def _insert_all(connection: sqlite3.Connection, events: Sequence[Routed]) -> list[Pending]:
    pendings = []
    for body, deliveries in events:
        event = connection.execute("INSERT INTO events (body) VALUES (?)", (body,)).lastrowid
        for trigger, due in deliveries:
            inserted = connection.execute(
                "INSERT INTO deliveries (event, trigger, due) VALUES (?, ?, ?)", (event, trigger, due)
            )
            pendings.append(Pending(inserted.lastrowid or 0, event or 0, trigger, 0, due))
    return pendings


def _delete(connection: sqlite3.Connection, pending: Pending) -> None:
    connection.execute("DELETE FROM deliveries WHERE id = ?", (pending.id,))
    connection.execute(
        "DELETE FROM events WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM deliveries WHERE event = ?1)", (pending.event,)
    )


def _said(error: sqlite3.Error, path: Path) -> StoreError:
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
        return StoreFullError("The broker's store is full: free disk space, or let the subscribers catch up.")
    return StoreError(f"The broker's store {path} cannot be written ({error}).")
