"""A platform's folder made from a backup: every shard at one moment, ready for `hal9 up`.

Promises: the folder is whole, or not there: everything is made beside its place and renamed at the end; a folder with
anything in it is refused before. Master keys that lie in files come along, as nothing that they wrapped can be read
without them. Does not: bring artefacts (they are in the store of objects), the broker's store, or the cache.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from contextlib import AsyncExitStack, contextmanager
from typing import TYPE_CHECKING, Final, TypeVar

import asyncpg

from knative.platform.environment import as_role
from knative.platform.home import FORMAT
from knative.platform.servers.aside import aside
from shared.backup.errors import BackupError
from shared.backup.restoring import WAL, fetch, least_settings, recovered, require_free
from shared.database import DatabaseSettings
from shared.folders import replace, staging
from shared.replicas import lease
from shared.settings import load
from shared.shards import Shards
from shared.transactions import recover

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from knative.platform.home import Home
    from shared.backup.repository import Repository
    from shared.backup.restoring import Target

T = TypeVar("T")

_APPLICATION: Final = "hal9_app"
_CONNECT_SECONDS: Final = 10.0
_INSTRUCTIONS: Final = """\
Data folders of {shards} shards, ready to recover to {moment}.

For each shard N:
1. Stop the server that is to take it, and move its data folder away.
2. Copy shard-N to its data folder, owned by the server's user, mode 0700.
3. Keep the server's own postgresql.conf and pg_hba.conf, where they are not in the data folder.
   These settings must be at least what the backed-up server had: {settings}
4. Start it. It recovers from the folder {wal} in its data folder, opens, and removes recovery.signal.
5. When it is open, delete the folder {wal}, and the lines below "# hal9 backup" in postgresql.auto.conf.

When all of them are open, run `hal9 transactions in-doubt`, then let the functions back in.
"""


async def restore_home(
    repository: Repository,
    target: Target,
    home: Home,
    master_keys: Path | None,
    tell: Callable[[str], None],
) -> None:
    """Make a platform's folder.

    Args:
        repository: The backups.
        target: What to restore.
        home: The folder; not there, or empty.
        master_keys: The folder of the regions' master keys, where they are files.
        tell: Hears of each step.

    Raises:
        BackupError: It cannot be made; nothing is left then.
    """
    with _beside(home.path) as made:
        servers = made / home.servers.relative_to(home.path)
        servers.mkdir(mode=0o700)
        folders = [servers / f"postgres-{number}" for number in range(len(target.backup.shards))]
        await fetch_all(repository, target, folders, tell)
        async with AsyncExitStack() as stack:
            addresses = await opened(stack, folders, target, tell)
            await require_complete(addresses)
            tell("settling what is in doubt between the shards")
            await settle(addresses)
            tell("closing")
        (servers / "whole").write_text(str(len(folders)), encoding="utf-8")
        (made / "format").write_text(f"{FORMAT}\n", encoding="ascii")
        _bring_keys(master_keys, made / home.master_keys.relative_to(home.path))


async def prepare(repository: Repository, target: Target, folder: Path, tell: Callable[[str], None]) -> Path:
    """Make data folders for servers that are not ours, and say what to do with them; give the instructions' file.

    Raises:
        BackupError: They cannot be made; nothing is left then.
    """
    with _beside(folder) as made:
        folders = [made / f"shard-{number}" for number in range(len(target.backup.shards))]
        await fetch_all(repository, target, folders, tell)
        for number, one in enumerate(folders):
            with (one / "postgresql.auto.conf").open("a", encoding="utf-8") as file:
                file.write("# hal9 backup\n")
                file.writelines(f"{name} = '{_quoted(value)}'\n" for name, value in target.recovery(number).items())
        text = _INSTRUCTIONS.format(
            shards=len(folders),
            moment=target.moment.isoformat(),
            wal=WAL,
            settings=json.dumps(least_settings(folders[0])),
        )
        (made / "INSTRUCTIONS.txt").write_text(text, encoding="utf-8")
    return folder / "INSTRUCTIONS.txt"


def _bring_keys(source: Path | None, target: Path) -> None:
    if source is not None and source.is_dir():
        target.parent.mkdir(mode=0o700)
        shutil.copytree(source, target)


@contextmanager
def _beside(folder: Path) -> Iterator[Path]:
    """Give a folder to make something in that becomes `folder` at the end, or is gone when something fails."""
    require_free(folder)
    with staging(folder.absolute().parent) as stage:
        made = stage / "made"
        made.mkdir(mode=0o700)
        yield made
        replace(made, folder, stage / "before")


async def require_complete(addresses: Sequence[str]) -> None:
    """Check that the backup has every shard on which the restored directory says that somebody is.

    A shard that was added after the backup is not in it, and organisations may have moved there before the moment.

    Args:
        addresses: Superusers' addresses of the recovered servers.

    Raises:
        BackupError: It has not.
    """
    directory = await asyncpg.connect(addresses[0], timeout=_CONNECT_SECONDS)
    try:
        missing = await directory.fetch(
            "SELECT shard, count(*) AS organisations FROM directory.organisations WHERE shard >= $1"
            " GROUP BY shard ORDER BY shard",
            len(addresses),
        )
    finally:
        await directory.close()
    if missing:
        there = " and ".join(f"{row['organisations']} organisations were on shard {row['shard']}" for row in missing)
        raise BackupError(
            f"At that moment {there}, of which this backup has nothing, as it was added later. Choose an earlier "
            "moment, or one after the point of a backup that has it."
        )


async def settle(addresses: Sequence[str]) -> None:
    """Finish what is in doubt between the shards; let none go on with a move, which would take from servers that live.

    Nobody watches them, so their leases are lifted.

    Args:
        addresses: Superusers' addresses of the recovered servers.
    """
    for address in addresses:
        connection = await asyncpg.connect(address, timeout=_CONNECT_SECONDS)
        try:
            for row in await connection.fetch("SELECT quote_ident(subname) AS name FROM pg_subscription"):
                await connection.execute(f"ALTER SUBSCRIPTION {row['name']} DISABLE")
            await lease.lift(connection)
        finally:
            await connection.close()
    # As the role that prepared, which is the only one that may commit beside a superuser.
    application = ",".join(as_role(_APPLICATION, address) for address in addresses)
    shards = Shards.open(load(DatabaseSettings, {"HAL9_SHARDS": application}), application_name="hal9-backup")
    try:
        await recover(shards, older_than_seconds=0.0)
    finally:
        await shards.close()


async def opened(
    stack: AsyncExitStack, folders: Sequence[Path], target: Target, tell: Callable[[str], None]
) -> list[str]:
    """Start a server over each fetched data folder, for as long as the stack; give superusers' addresses, in order."""
    return await _all(
        stack.enter_async_context(recovered(folder, number, target, aside, tell))
        for number, folder in enumerate(folders)
    )


async def fetch_all(
    repository: Repository, target: Target, folders: Sequence[Path], tell: Callable[[str], None]
) -> None:
    """Fetch every shard's data folder, at once."""
    await _all(fetch(repository, target, number, folder, tell) for number, folder in enumerate(folders))


async def _all(doing: Iterable[Awaitable[T]]) -> list[T]:
    """Do all of it at once; when something fails, let the rest end first."""
    done = await asyncio.gather(*doing, return_exceptions=True)
    for one in done:
        if isinstance(one, BaseException):
            raise one
    return [one for one in done if not isinstance(one, BaseException)]


def _quoted(value: str) -> str:
    return value.replace("'", "''")
