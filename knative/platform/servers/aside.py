"""A PostgreSQL server aside: over a data folder that a restore made, for this process alone, stopped at the end."""

from __future__ import annotations

import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from knative.platform.servers.children import ServerError
from knative.platform.servers.postgres import SETTINGS, SUPERUSER, Postgres
from shared.backup.errors import BackupError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

_PATIENCE_SECONDS: Final = 24 * 3600.0
"""Recovery reads as much WAL as there is; who waits is told how far it is."""

_LONGEST: Final = 70
"""Of a folder's path, so that the path of a socket in a folder there has at most 107 bytes."""

_NOT_REACHED: Final = "recovery ended before configured recovery target was reached"


@asynccontextmanager
async def aside(folder: Path, number: int, settings: Mapping[str, str]) -> AsyncIterator[str]:
    """Start a server over a data folder; see `shared.backup.restoring.Starting`.

    Raises:
        BackupError: It does not start, or its WAL ends before the moment that it should recover to.
    """
    wanted = {name: _greater(name, value) for name, value in settings.items()}
    log = folder.with_name(f"{folder.name}.log")
    with tempfile.TemporaryDirectory(prefix="hal9-", dir=_sockets()) as run:
        server = Postgres(
            folder,
            Path(run),
            number,
            log,
            # It is there to be read, and goes away again: what it would copy from others, it would take from them.
            # Nor has it a replica that its commits could wait for.
            settings={
                "summarize_wal": "off",
                "max_logical_replication_workers": "0",
                "synchronous_standby_names": "",
                **wanted,
            },
            patience_seconds=_PATIENCE_SECONDS,
        )
        try:
            await server.start()
        except ServerError as error:
            raise BackupError(_explained(str(error))) from error
        try:
            yield server.dsn(SUPERUSER)
        finally:
            await server.stop()


def _sockets() -> str | None:
    """Where a folder for sockets is made: the system's place for temporary files, or a shorter one."""
    return None if len(tempfile.gettempdir()) < _LONGEST else "/tmp"  # noqa: S108 - the folder in it is made for us alone


def _greater(name: str, value: str) -> str:
    """The greater one of what is wanted and what is usual here, where both are numbers: recovery allows no less."""
    usual = SETTINGS.get(name, "")
    return str(max(int(value), int(usual))) if value.isdigit() and usual.isdigit() else value


def _explained(said: str) -> str:
    if _NOT_REACHED in said:
        return f"The WAL ends before that moment: choose an earlier one, or --at latest. {said}"
    return said
